/* cfi_row.c - see cfi_row.h. Everything read lies in a loaded object's read-only segments. The linker vouches
 * for their format, but a read of what is not the object's would be a crash of the program: no byte is read
 * outside of the bounds that the loader has for it, whatever the description says.
 *
 * Owns:    nothing.
 * Threads: any.  Signals: safe.  Heap: never. */
#define _GNU_SOURCE
#include "cfi_row.h"

#include "call_stack.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* DWARF register numbers: System V ABI AMD64, figure 3.36; DWARF for the Arm 64-bit Architecture, 4.1. */
#if defined(__x86_64__)
enum { REGISTER_BP = 6, REGISTER_SP = 7, REGISTER_RA = 16 };
#else
enum { REGISTER_BP = 29, REGISTER_SP = 31, REGISTER_RA = 30 };
#endif

static const struct cfi_row other_row = {.kind = CFI_OTHER};
static const struct cfi_row guess_row = {CFI_GUESS, CFI_BP_CFA | CFI_BP_USED, -16, 16};

/* ---- reading ---- */

struct bytes {
    const uint8_t *at, *end;
    bool bad;
};

static inline bool take(struct bytes *from, void *to, size_t count) {
    if ((size_t)(from->end - from->at) < count) {
        from->bad = true;
        from->at = from->end;
        memset(to, 0, count);
        return false;
    }
    memcpy(to, from->at, count);
    from->at += count;
    return true;
}

static uint8_t take_byte(struct bytes *from) {
    uint8_t value;
    take(from, &value, 1);
    return value;
}

static uint64_t take_uleb(struct bytes *from) {
    uint64_t value = 0;
    if (from->at < from->end && *from->at < 0x80) /* nearly always */
        return *from->at++;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte = take_byte(from);
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return value;
    }
}

static int64_t take_sleb(struct bytes *from) {
    uint64_t value = 0;
    for (unsigned shift = 0;;) {
        uint8_t byte = take_byte(from);
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
        if ((byte & 0x80) != 0)
            continue;
        if (shift < 64 && (byte & 0x40) != 0)
            value |= UINT64_MAX << shift;
        return (int64_t)value;
    }
}

static void skip(struct bytes *from, uint64_t count) {
    if (count > (uint64_t)(from->end - from->at)) {
        from->bad = true;
        count = (uint64_t)(from->end - from->at);
    }
    from->at += count;
}

/* Goes to an address; false if nothing can be read there. */
static bool seek(struct bytes *from, uintptr_t to) {
    uintptr_t distance = to - (uintptr_t)from->at;
    if (distance >= (uintptr_t)(from->end - from->at))
        return false;
    from->at += distance;
    return true;
}

/* The size and sign of DW_EH_PE_* formats (LSB 5.0 Core, 10.5.1). */
static uint64_t take_format(struct bytes *from, uint8_t format) {
    union {
        uint64_t u64;
        uint32_t u32;
        int32_t s32;
        uint16_t u16;
        int16_t s16;
    } value = {0};
    switch (format & 0xf) {
    case 0x0:
    case 0x4:
    case 0xc: take(from, &value.u64, 8); return value.u64;
    case 0x1: return take_uleb(from);
    case 0x9: return (uint64_t)take_sleb(from);
    case 0x2: take(from, &value.u16, 2); return value.u16;
    case 0x3: take(from, &value.u32, 4); return value.u32;
    case 0xa: take(from, &value.s16, 2); return (uint64_t)(int64_t)value.s16;
    case 0xb: take(from, &value.s32, 4); return (uint64_t)(int64_t)value.s32;
    default: from->bad = true; return 0;
    }
}

/* An encoded pointer; of the applications, absolute and pc-relative are all that .eh_frame uses. */
static uint64_t take_pointer(struct bytes *from, uint8_t encoding) {
    uint64_t here = (uint64_t)(uintptr_t)from->at;
    if (encoding == 0xff) /* DW_EH_PE_omit */
        return 0;
    uint64_t value = take_format(from, encoding);
    switch (encoding & 0x70) {
    case 0x00: return value;
    case 0x10: return value + here;
    default: from->bad = true; return 0;
    }
}

/* A factored offset, in arithmetic that wraps: what is too large for a row is no row's. */
static int64_t scaled(uint64_t factor, int64_t align) {
    return (int64_t)(factor * (uint64_t)align);
}

/* ---- the state of the call frame machine, for the registers that matter ---- */

enum rule { RULE_KEPT, RULE_CFA, RULE_FRAME, RULE_UNDEFINED, RULE_OTHER };

struct place {
    enum rule rule;
    int64_t offset;
};

struct state {
    enum { CFA_REGISTER, CFA_SAVED, CFA_OTHER } cfa;
    uint64_t cfa_register;
    int64_t cfa_offset;
    struct place bp, ra;
};

struct machine {
    struct state now, initial, saved[16];
    unsigned depth;
    bool too_deep;             /* for us: not broken */
    bool signs;                /* met DW_CFA_AARCH64_negate_ra_state */
    uint64_t location, target; /* addresses */
    uint64_t code_align;
    int64_t data_align;
    uint8_t encoding;
};

static void set_rule(struct state *state, uint64_t reg, enum rule rule, int64_t offset) {
    if (reg == REGISTER_BP)
        state->bp = (struct place){rule, offset};
    else if (reg == REGISTER_RA)
        state->ra = (struct place){rule, offset};
    else if (reg == REGISTER_SP)
        state->cfa = CFA_OTHER; /* rsp is then not the CFA */
}

static void restore_rule(struct machine *machine, uint64_t reg) {
    if (reg == REGISTER_BP)
        machine->now.bp = machine->initial.bp;
    else if (reg == REGISTER_RA)
        machine->now.ra = machine->initial.ra;
}

/* DW_OP_breg6 n; with DW_OP_deref behind it if `deref`. */
static bool is_frame_slot(struct bytes block, bool deref, int64_t *offset) {
    if (take_byte(&block) != 0x76)
        return false;
    *offset = take_sleb(&block);
    if (deref && take_byte(&block) != 0x06)
        return false;
    return !block.bad && block.at == block.end;
}

static struct bytes take_block(struct bytes *from) {
    uint64_t count = take_uleb(from);
    const uint8_t *at = from->at;
    skip(from, count);
    return (struct bytes){at, from->at, false};
}

static void define_cfa_by_expression(struct state *state, struct bytes block) {
    state->cfa = is_frame_slot(block, true, &state->cfa_offset) ? CFA_SAVED : CFA_OTHER;
}

static void set_rule_by_expression(struct state *state, uint64_t reg, struct bytes block) {
    int64_t offset = 0;
    bool slot = reg == REGISTER_BP && is_frame_slot(block, false, &offset);
    set_rule(state, reg, slot ? RULE_FRAME : RULE_OTHER, offset);
}

static void define_cfa(struct state *state, uint64_t reg, int64_t offset) {
    state->cfa = CFA_REGISTER;
    state->cfa_register = reg;
    state->cfa_offset = offset;
}

static void remember(struct machine *machine, struct bytes *code) {
    if (machine->depth == sizeof machine->saved / sizeof *machine->saved)
        code->bad = machine->too_deep = true;
    else
        machine->saved[machine->depth++] = machine->now;
}

static void recall(struct machine *machine, struct bytes *code) {
    if (machine->depth == 0)
        code->bad = true;
    else
        machine->now = machine->saved[--machine->depth];
}

/* One instruction whose opcode takes the whole byte (DWARF 5, table 7.29, and GNU's). */
static void execute_extended(struct machine *machine, uint8_t opcode, struct bytes *code) {
    struct state *now = &machine->now;
    uint64_t reg;
    switch (opcode) {
    case 0x00: break;
    case 0x01: machine->location = take_pointer(code, machine->encoding); break;
    case 0x02: machine->location += take_byte(code) * machine->code_align; break;
    case 0x03: machine->location += take_format(code, 0x2) * machine->code_align; break;
    case 0x04: machine->location += take_format(code, 0x3) * machine->code_align; break;
    case 0x05:
        reg = take_uleb(code);
        set_rule(now, reg, RULE_CFA, scaled(take_uleb(code), machine->data_align));
        break;
    case 0x06: restore_rule(machine, take_uleb(code)); break;
    case 0x07: set_rule(now, take_uleb(code), RULE_UNDEFINED, 0); break;
    case 0x08: set_rule(now, take_uleb(code), RULE_KEPT, 0); break;
    case 0x09:
        reg = take_uleb(code);
        take_uleb(code);
        set_rule(now, reg, RULE_OTHER, 0);
        break;
    case 0x0a: remember(machine, code); break;
    case 0x0b: recall(machine, code); break;
    case 0x0c:
        reg = take_uleb(code);
        define_cfa(now, reg, (int64_t)take_uleb(code));
        break;
    case 0x0d: define_cfa(now, take_uleb(code), now->cfa_offset); break;
    case 0x0e: now->cfa_offset = (int64_t)take_uleb(code); break;
    case 0x0f: define_cfa_by_expression(now, take_block(code)); break;
    case 0x10:
        reg = take_uleb(code);
        set_rule_by_expression(now, reg, take_block(code));
        break;
    case 0x11:
        reg = take_uleb(code);
        set_rule(now, reg, RULE_CFA, scaled((uint64_t)take_sleb(code), machine->data_align));
        break;
    case 0x12:
        reg = take_uleb(code);
        define_cfa(now, reg, scaled((uint64_t)take_sleb(code), machine->data_align));
        break;
    case 0x13: now->cfa_offset = scaled((uint64_t)take_sleb(code), machine->data_align); break;
    case 0x14:
        reg = take_uleb(code);
        take_uleb(code);
        set_rule(now, reg, RULE_OTHER, 0);
        break;
    case 0x15:
        reg = take_uleb(code);
        take_sleb(code);
        set_rule(now, reg, RULE_OTHER, 0);
        break;
    case 0x16:
        reg = take_uleb(code);
        take_block(code);
        set_rule(now, reg, RULE_OTHER, 0);
        break;
    case 0x2d: machine->signs = true; break;
    case 0x2e: take_uleb(code); break; /* DW_CFA_GNU_args_size */
    case 0x2f:
        reg = take_uleb(code);
        set_rule(now, reg, RULE_CFA, scaled(0 - take_uleb(code), machine->data_align));
        break;
    default: code->bad = true; break;
    }
}

/* Executes until the location passes the target or the code ends. Only advances change the location. */
static bool execute(struct machine *machine, struct bytes code) {
    while (code.at < code.end && !code.bad && machine->location <= machine->target) {
        uint8_t opcode = take_byte(&code), low = opcode & 0x3f;
        switch (opcode & 0xc0) {
        case 0x40: machine->location += low * machine->code_align; break;
        case 0x80:
            set_rule(&machine->now, low, RULE_CFA, scaled(take_uleb(&code), machine->data_align));
            break;
        case 0xc0: restore_rule(machine, low); break;
        default: execute_extended(machine, opcode, &code); break;
        }
    }
    return !code.bad;
}

/* ---- finding the description ---- */

/* UNKNOWN is a form that another unwinder may know. What is BROKEN no other may see: libgcc's reads where it
 * leads to, and aborts. */
enum search { FOUND, ABSENT, UNKNOWN, BROKEN };

struct description {
    struct bytes object; /* all that may be read */
    struct bytes cie_code, fde_code;
    uint64_t start, end;
    uint64_t code_align;
    int64_t data_align;
    uint8_t encoding;
    bool signal;
};

/* Length-prefixed, as CIEs and FDEs are; the 64-bit form is not used in .eh_frame of any linker. */
static bool entry_at(struct bytes object, uintptr_t at, struct bytes *entry) {
    uint32_t length;
    if (!seek(&object, at) || !take(&object, &length, sizeof length) || length == 0 || length == UINT32_MAX)
        return false;
    *entry = object;
    skip(&object, length);
    entry->end = object.at;
    return !object.bad;
}

static enum search read_cie(uintptr_t at, struct description *out) {
    struct bytes cie;
    uint32_t id;
    if (!entry_at(out->object, at, &cie) || !take(&cie, &id, 4) || id != 0)
        return BROKEN;
    uint8_t version = take_byte(&cie);
    const char *augmentation = (const char *)cie.at;
    skip(&cie, strnlen(augmentation, (size_t)(cie.end - cie.at)) + 1);
    out->code_align = take_uleb(&cie);
    out->data_align = take_sleb(&cie);
    uint64_t ra = version == 1 ? take_byte(&cie) : take_uleb(&cie);
    if (cie.bad)
        return BROKEN;
    if (ra != REGISTER_RA || (augmentation[0] != 'z' && augmentation[0] != '\0'))
        return UNKNOWN;
    if (augmentation[0] == 'z') {
        struct bytes data = take_block(&cie);
        for (const char *letter = augmentation + 1; *letter != '\0' && !data.bad; letter++)
            switch (*letter) {
            case 'R': out->encoding = take_byte(&data); break;
            case 'P': take_format(&data, take_byte(&data)); break;
            case 'L': take_byte(&data); break;
            case 'S': out->signal = true; break;
            case 'B': break;
            default: return UNKNOWN;
            }
        cie.bad |= data.bad;
    }
    out->cie_code = cie;
    return cie.bad ? BROKEN : FOUND;
}

static enum search read_fde(uintptr_t at, struct description *out) {
    struct bytes fde;
    uint32_t cie_offset;
    if (!entry_at(out->object, at, &fde))
        return BROKEN;
    uintptr_t cie_base = (uintptr_t)fde.at;
    if (!take(&fde, &cie_offset, 4) || cie_offset == 0)
        return BROKEN;
    enum search cie = read_cie(cie_base - cie_offset, out);
    if (cie != FOUND)
        return cie;
    out->start = take_pointer(&fde, out->encoding);
    out->end = out->start + take_format(&fde, out->encoding);
    take_block(&fde); /* the augmentation data: a pointer to the LSDA */
    out->fde_code = fde;
    return fde.bad ? BROKEN : FOUND;
}

/* .eh_frame_hdr: version 1, table of (start, description) as signed 32-bit offsets from itself. */
struct table {
    uintptr_t base;
    const uint8_t *entries;
    uint64_t count;
};

struct table_entry {
    int32_t start, description;
};

static struct table_entry entry_of(const struct table *table, uint64_t index) {
    struct table_entry entry;
    memcpy(&entry, table->entries + index * sizeof entry, sizeof entry);
    return entry;
}

static enum search read_table(struct bytes object, uintptr_t header, struct table *table) {
    uint8_t formats[4]; /* the version, of the pointer to .eh_frame, of the count, of the table */
    if (!seek(&object, header) || !take(&object, formats, sizeof formats))
        return BROKEN;
    if (formats[0] != 1 || formats[3] != 0x3b)
        return UNKNOWN;
    take_pointer(&object, formats[1]);
    uint64_t count = take_format(&object, formats[2]);
    *table = (struct table){header, object.at, count};
    bool fits = !object.bad && count <= (uint64_t)(object.end - object.at) / sizeof(struct table_entry);
    return fits ? FOUND : BROKEN;
}

/* The last entry that does not begin behind `key`; the first begins before it. */
static struct table_entry search_table(const struct table *table, int64_t key) {
    uint64_t low = 0, high = table->count;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (entry_of(table, middle).start <= key)
            low = middle;
        else
            high = middle;
    }
    return entry_of(table, low);
}

static enum search find_description(uintptr_t pc, struct description *out) {
    struct dl_find_object object;
    struct table table;
    if (_dl_find_object((void *)pc, &object) != 0 || object.dlfo_eh_frame == NULL)
        return ABSENT;
    out->object = (struct bytes){object.dlfo_map_start, object.dlfo_map_end, false};
    enum search result = read_table(out->object, (uintptr_t)object.dlfo_eh_frame, &table);
    if (result != FOUND)
        return result;
    int64_t key = (int64_t)(pc - table.base);
    if (table.count == 0 || key < entry_of(&table, 0).start)
        return ABSENT;
    result = read_fde(table.base + (uintptr_t)(intptr_t)search_table(&table, key).description, out);
    return result == FOUND && pc >= out->end ? ABSENT : result;
}

/* ---- from the machine's state to a row ---- */

static bool fits(int64_t value, int64_t limit) {
    return value >= -limit && value < limit;
}

static struct cfi_row row_of(const struct state *state) {
    struct cfi_row row = {.kind = CFI_OTHER, .cfa_offset = (int32_t)state->cfa_offset};
    if (state->ra.rule == RULE_UNDEFINED)
        return (struct cfi_row){.kind = CFI_END};
    if (state->ra.rule != RULE_CFA || state->ra.offset != -8 || state->bp.rule == RULE_OTHER ||
        !fits(state->cfa_offset, INT32_MAX) || !fits(state->bp.offset, INT16_MAX))
        return other_row;
    if (state->cfa == CFA_SAVED)
        row.kind = CFI_FROM_SAVED;
    else if (state->cfa == CFA_REGISTER && state->cfa_register == REGISTER_SP)
        row.kind = CFI_FROM_SP;
    else if (state->cfa == CFA_REGISTER && state->cfa_register == REGISTER_BP)
        row.kind = CFI_FROM_BP;
    row.bp = state->bp.rule == RULE_CFA     ? CFI_BP_CFA
             : state->bp.rule == RULE_FRAME ? CFI_BP_FRAME
                                            : CFI_BP_KEPT;
    row.bp_offset = (int16_t)state->bp.offset;
    if (row.kind != CFI_FROM_SP || row.bp == CFI_BP_FRAME)
        row.bp |= CFI_BP_USED;
    else if (row.bp == CFI_BP_KEPT)
        row.bp |= CFI_BP_PASSED_ON;
    return row;
}

static bool returns_from_signal(struct bytes object, uintptr_t pc) {
    return seek(&object, pc) && (size_t)(object.end - object.at) >= SIGNAL_RETURN_BYTES &&
           call_stack_returns_from_signal(pc);
}

/* False: the description is broken, or too deep for us. */
static bool lead_to(uintptr_t pc, const struct description *description, struct machine *machine) {
    *machine = (struct machine){.now = {.cfa = CFA_OTHER},
                                .target = UINT64_MAX,
                                .code_align = description->code_align,
                                .data_align = description->data_align,
                                .encoding = description->encoding};
    if (!execute(machine, description->cie_code))
        return false;
    machine->initial = machine->now;
    machine->location = description->start;
    machine->target = pc;
    return execute(machine, description->fde_code);
}

struct cfi_row cfi_row_at(uintptr_t pc) {
    struct description description = {.encoding = 0};
    switch (find_description(pc, &description)) {
    case ABSENT:
    case BROKEN: return guess_row;
    case UNKNOWN: return other_row;
    case FOUND: break;
    }
    /* A restorer's description begins a byte early, since a return address is looked up by the byte before.
     */
    if (description.signal) /* of others, what they say of pc counts for a lookup that is not made here */
        return returns_from_signal(description.object, pc + 1) ? (struct cfi_row){.kind = CFI_SIGNAL}
                                                               : other_row;
    struct machine machine;
    if (!lead_to(pc, &description, &machine))
        return machine.too_deep ? other_row : guess_row;
    return row_of(&machine.now);
}

bool cfi_row_signs(uintptr_t pc) {
    struct description description = {.encoding = 0};
    struct machine machine;
    if (find_description(pc, &description) != FOUND)
        return false;
    (void)lead_to(pc, &description, &machine);
    return machine.signs;
}
