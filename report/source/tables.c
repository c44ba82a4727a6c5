/* tables.c - see tables.h.
 * Owns:    the copies of all regions.
 * Holds:   after tables_check, no index that a cell reaches is out of range.
 * Threads: any, one at a time.  Signals: no.  Heap: yes. */
#define _GNU_SOURCE
#include "tables.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    uint32_t record_bytes;
} kinds[HT_REGIONS] = {
    [HT_REGION_MODULES] = {"modules", sizeof(struct ht_module)},
    [HT_REGION_STRINGS] = {"strings", 1},
    [HT_REGION_PCS] = {"PCs", sizeof(struct ht_pc)},
    [HT_REGION_FRAMES] = {"frames", sizeof(uint32_t)},
    [HT_REGION_STACKS] = {"stacks", sizeof(struct ht_stack)},
    [HT_REGION_CELLS] = {"cells", sizeof(struct ht_cell)},
    [HT_REGION_SLOTS] = {"slots", sizeof(struct ht_slot)},
    [HT_REGION_SAMPLES] = {"samples", sizeof(struct ht_sample)},
    [HT_REGION_MISMATCHES] = {"mismatches", sizeof(struct ht_mismatch)},
    [HT_REGION_CONTEXTS] = {"contexts", sizeof(struct ht_context)},
    [HT_REGION_DETAILS] = {"details", sizeof(struct ht_detail)},
};

uint32_t tables_record_bytes(enum ht_region_id id) {
    return kinds[id].record_bytes;
}

const char *tables_region_name(enum ht_region_id id) {
    return kinds[id].name;
}

struct tables *tables_new(void) {
    struct tables *self = aligned_alloc(_Alignof(struct tables), sizeof *self);
    if (self != NULL)
        memset(self, 0, sizeof *self);
    return self;
}

void tables_free(struct tables *self) {
    if (self == NULL)
        return;
    for (int i = 0; i < HT_REGIONS; i++)
        free(self->region[i].at);
    free(self->cells_later.at);
    free(self);
}

bool tables_reserve(struct records *self, enum ht_region_id id, uint64_t bytes, struct error *error) {
    uint64_t count = bytes / kinds[id].record_bytes;
    if (count >= UINT32_MAX)
        return error_set(error, "%s: more than 2^32 records", kinds[id].name);
    free(self->at);
    self->count = (uint32_t)count;
    self->at = malloc(bytes + 1);
    if (self->at == NULL)
        return error_out_of_memory(error);
    ((char *)self->at)[bytes] = '\0';
    return true;
}

/* ---- the header ---- */

static bool check_identity(const struct ht_header *header, const char *name, struct error *error) {
    if (memcmp(header->magic, HT_MAGIC, sizeof header->magic) != 0)
        return error_set(
            error, "%s: offset 0: not a heaptally image or snapshot (or one that was never finished)", name);
    if (header->byte_order != HT_BYTE_ORDER)
        return error_set(error, "%s: offset %zu: written on a machine of another byte order; read it there",
                         name, offsetof(struct ht_header, byte_order));
    if (header->version >> 16 != HT_VERSION >> 16)
        return error_set(error,
                         "%s: offset %zu: format version %" PRIu32 ".%" PRIu32
                         ", but this heaptally reads version %u.x; use the heaptally that wrote it",
                         name, offsetof(struct ht_header, version), header->version >> 16,
                         header->version & 0xffff, HT_VERSION >> 16);
    if (header->pointer_bytes != sizeof(void *))
        return error_set(error, "%s: offset %zu: addresses of %u bytes; this heaptally reads %zu", name,
                         offsetof(struct ht_header, pointer_bytes), header->pointer_bytes, sizeof(void *));
    if (header->kind != HT_KIND_IMAGE && header->kind != HT_KIND_SNAPSHOT)
        return error_set(error, "%s: offset %zu: neither an image nor a snapshot (kind %" PRIu32 ")", name,
                         offsetof(struct ht_header, kind), header->kind);
    if (header->header_bytes != HT_HEADER_BYTES)
        return error_set(error, "%s: offset %zu: a header of %" PRIu32 " bytes, not %u: the file is damaged",
                         name, offsetof(struct ht_header, header_bytes), header->header_bytes,
                         HT_HEADER_BYTES);
    return true;
}

static bool check_region(const struct ht_header *header, int id, uint64_t file_bytes, const char *name,
                         struct error *error) {
    const struct ht_region *region = &header->regions[id];
    size_t at = offsetof(struct ht_header, regions) + (size_t)id * sizeof *region;
    uint64_t extent = header->kind == HT_KIND_IMAGE ? region->capacity_bytes : region->stored_bytes;
    if (region->record_bytes != kinds[id].record_bytes)
        return error_set(error, "%s: offset %zu: %s of %" PRIu32 " bytes each, not %" PRIu32, name, at,
                         kinds[id].name, region->record_bytes, kinds[id].record_bytes);
    if (header->kind == HT_KIND_IMAGE && region->offset % sizeof(uint64_t) != 0)
        return error_set(error, "%s: offset %zu: %s lie at the odd place %" PRIu64 ": the file is damaged",
                         name, at, kinds[id].name, region->offset);
    if (extent != 0 && (region->offset > file_bytes || extent > file_bytes - region->offset))
        return error_set(error,
                         "%s: offset %zu: %s lie at %" PRIu64 "+%" PRIu64 ", beyond the file's %" PRIu64
                         " bytes: the file is truncated or damaged",
                         name, at, kinds[id].name, region->offset, extent, file_bytes);
    return true;
}

static void end_strings(struct ht_header *header) {
    header->label[sizeof header->label - 1] = '\0';
    header->program[sizeof header->program - 1] = '\0';
    header->executable[sizeof header->executable - 1] = '\0';
    header->working_directory[sizeof header->working_directory - 1] = '\0';
    header->unwinder[sizeof header->unwinder - 1] = '\0';
    header->command_line[sizeof header->command_line - 1] = '\0';
    if (header->command_line_bytes > sizeof header->command_line)
        header->command_line_bytes = sizeof header->command_line;
}

bool tables_check_header(struct ht_header *header, uint64_t file_bytes, const char *name,
                         struct error *error) {
    if (!check_identity(header, name, error))
        return false;
    for (int i = 0; i < HT_REGIONS; i++)
        if (!check_region(header, i, file_bytes, name, error))
            return false;
    end_strings(header);
    return true;
}

bool tables_take_header(struct tables *self, enum ht_kind kind, const void *bytes, size_t size_bytes,
                        const char *name, struct error *error) {
    if (size_bytes < HT_HEADER_BYTES)
        return error_set(error, "%s: offset %zu: the file ends inside its header of %u bytes", name,
                         size_bytes, HT_HEADER_BYTES);
    memcpy(&self->header, bytes, sizeof self->header);
    if (!tables_check_header(&self->header, size_bytes, name, error))
        return false;
    if (self->header.kind != (uint32_t)kind)
        return error_set(error,
                         kind == HT_KIND_IMAGE ? "%s: a snapshot, not a live image"
                                               : "%s: a live image, not a snapshot",
                         name);
    return true;
}

/* ---- the records ---- */

struct check {
    const struct tables *tables;
    const char *name;
    struct error *error;
    uint8_t *stacks; /* a flag a record: seen and good */
    uint8_t *pcs;
};

/* Where in the file a record lies; of a compressed region, where the region lies. */
static uint64_t offset_of(const struct tables *tables, enum ht_region_id id, uint64_t record) {
    const struct ht_region *region = &tables->header.regions[id];
    return region->offset + (region->codec == HT_CODEC_PLAIN ? record * region->record_bytes : 0);
}

static bool complain(const struct check *check, enum ht_region_id id, uint32_t record, const char *what,
                     uint64_t value, uint64_t limit) {
    return error_set(check->error,
                     "%s: offset %" PRIu64 ": %s, record %" PRIu32 ": %s %" PRIu64 ", limit %" PRIu64
                     ": the file is damaged",
                     check->name, offset_of(check->tables, id, record), kinds[id].name, record, what, value,
                     limit);
}

static bool check_pc(const struct check *check, uint32_t id) {
    const struct tables *tables = check->tables;
    uint32_t module = tables_pc(tables, id)->module;
    uint32_t modules = tables->region[HT_REGION_MODULES].count;
    if (check->pcs[id])
        return true;
    if (module != 0 && module >= modules)
        return complain(check, HT_REGION_PCS, id, "module", module, modules);
    check->pcs[id] = 1;
    return true;
}

static bool check_own_frames(const struct check *check, uint32_t id, const struct ht_stack *stack) {
    const struct records *frames = &check->tables->region[HT_REGION_FRAMES];
    uint32_t pcs = check->tables->region[HT_REGION_PCS].count;
    uint32_t own = (uint32_t)stack->frame_count - stack->kept;
    if (stack->first_frame > frames->count || own > frames->count - stack->first_frame)
        return complain(check, HT_REGION_STACKS, id, "first frame", stack->first_frame, frames->count);
    for (uint32_t i = stack->first_frame; i < stack->first_frame + own; i++) {
        uint32_t pc = ((const uint32_t *)frames->at)[i] & HT_FRAME_PC;
        if (pc >= pcs)
            return complain(check, HT_REGION_FRAMES, i, "PC", pc, pcs);
        if (!check_pc(check, pc))
            return false;
    }
    return true;
}

/* How many of the oldest frames of its base a stack does not have. At least 0 once it is checked. */
static int32_t left_out(const struct tables *self, const struct ht_stack *stack) {
    const struct ht_stack *base = tables_stack(self, stack->base);
    return (stack->depth - stack->frame_count) - (base->depth - base->frame_count);
}

static bool check_base(const struct check *check, uint32_t id, const struct ht_stack *stack) {
    if (stack->base >= id)
        return complain(check, HT_REGION_STACKS, id, "base stack", stack->base, id);
    int32_t out = left_out(check->tables, stack), all = tables_stack(check->tables, stack->base)->frame_count;
    if (out < 0 || out > all)
        return complain(check, HT_REGION_STACKS, id, "frames of its base left out", (uint64_t)(int64_t)out,
                        (uint64_t)all);
    if (stack->kept > all - out)
        return complain(check, HT_REGION_STACKS, id, "kept frames of its base", stack->kept,
                        (uint64_t)(all - out));
    return true;
}

static bool check_one_stack(const struct check *check, uint32_t id) {
    const struct ht_stack *stack = tables_stack(check->tables, id);
    uint32_t contexts = tables_context_count(check->tables);
    if (stack->context != 0 && stack->context >= contexts)
        return complain(check, HT_REGION_STACKS, id, "context", stack->context, contexts);
    if (stack->kept > stack->frame_count)
        return complain(check, HT_REGION_STACKS, id, "kept frames", stack->kept, stack->frame_count);
    if (stack->kept != 0 && !check_base(check, id, stack))
        return false;
    return check_own_frames(check, id, stack);
}

/* base < id, so this ends. */
static bool check_stack(const struct check *check, uint32_t id) {
    for (;;) {
        if (check->stacks[id])
            return true;
        if (!check_one_stack(check, id))
            return false;
        check->stacks[id] = 1;
        if (tables_stack(check->tables, id)->kept == 0)
            return true;
        id = tables_stack(check->tables, id)->base;
    }
}

static bool check_cells(const struct check *check, const struct records *cells) {
    uint32_t stacks = check->tables->region[HT_REGION_STACKS].count;
    for (uint32_t i = 1; i < cells->count; i++) {
        uint32_t stack = ((const struct ht_cell *)cells->at)[i].stack;
        if (stack >= stacks)
            return complain(check, HT_REGION_CELLS, i, "stack", stack, stacks);
        if (stack != HT_STACK_NONE && !check_stack(check, stack))
            return false;
    }
    return true;
}

bool tables_check(const struct tables *self, const char *name, struct error *error) {
    struct check check = {self, name, error, calloc(self->region[HT_REGION_STACKS].count + (size_t)1, 1),
                          calloc(self->region[HT_REGION_PCS].count + (size_t)1, 1)};
    bool good = check.stacks != NULL && check.pcs != NULL;
    if (good)
        good = check_cells(&check, &self->region[HT_REGION_CELLS]);
    else
        error_out_of_memory(error);
    free(check.stacks);
    free(check.pcs);
    return good;
}

/* ---- reading ---- */

static const char *string_at(const struct tables *self, uint64_t offset) {
    const struct records *strings = &self->region[HT_REGION_STRINGS];
    return offset < strings->count ? (const char *)strings->at + offset : "";
}

const char *tables_module_path(const struct tables *self, uint32_t id) {
    return id < self->region[HT_REGION_MODULES].count ? string_at(self, tables_module(self, id)->path) : "";
}

/* No writer writes a longer one. */
static const char *short_string_at(const struct tables *self, uint64_t offset) {
    const char *string = string_at(self, offset);
    return strnlen(string, HT_SCOPE_BYTES) < HT_SCOPE_BYTES ? string : "";
}

struct tables_context tables_context(const struct tables *self, uint32_t id) {
    if (id == 0 || id >= tables_context_count(self))
        return (struct tables_context){HT_DOMAIN_HEAP, "", "", ""};
    const struct ht_context *context = (const struct ht_context *)self->region[HT_REGION_CONTEXTS].at + id;
    return (struct tables_context){context->domain, short_string_at(self, context->domain_name),
                                   short_string_at(self, context->scope),
                                   short_string_at(self, context->tag)};
}

const char *tables_source_file(const struct tables *self, uint32_t id) {
    static const char prefix[] = TABLES_SOURCE_PREFIX;
    const char *path = tables_module_path(self, id);
    return strncmp(path, prefix, sizeof prefix - 1) == 0 ? path + sizeof prefix - 1 : NULL;
}

const char *tables_module_name(const struct tables *self, uint32_t id) {
    const char *path = id != 0 ? tables_module_path(self, id) : "";
    if (path[0] == '\0')
        return "[unknown]";
    return tables_source_file(self, id) != NULL ? "[source]" : path;
}

size_t tables_frames(const struct tables *self, uint32_t id, uint32_t *frames) {
    const struct ht_stack *stack = tables_stack(self, id);
    const uint32_t *all = self->region[HT_REGION_FRAMES].at;
    size_t count = stack->frame_count, out = 0, wanted = count; /* of `stack`: [out, wanted) */
    for (;;) {
        size_t own = stack->kept > out ? stack->kept : out;
        if (wanted > own) {
            memcpy(frames + (own - out), all + stack->first_frame + (own - stack->kept),
                   (wanted - own) * sizeof *frames);
            wanted = own;
        }
        if (wanted == out)
            return count;
        size_t more = (size_t)left_out(self, stack);
        out += more;
        wanted += more;
        stack = tables_stack(self, stack->base);
    }
}

struct tables_slot_sums tables_sum_slots(const struct tables *self) {
    struct tables_slot_sums sums = {0};
    const struct ht_slot *slots = tables_slots(self);
    for (uint32_t i = 0; i < self->region[HT_REGION_SLOTS].count; i++) {
        sums.threads += slots[i].threads;
        sums.unmatched_frees += slots[i].unmatched_frees;
        sums.lost_frees += slots[i].lost_frees;
        sums.deferred += slots[i].deferred;
    }
    return sums;
}

uint64_t tables_truncated(const struct tables *self) {
    const struct ht_cell *cells = tables_cells(self);
    uint64_t truncated = 0;
    for (uint32_t i = 1; i < self->region[HT_REGION_CELLS].count;
         i++) { /* what cell 0 says is not verified */
        const struct ht_stack *stack = tables_stack(self, cells[i].stack);
        if (cells[i].stack != HT_STACK_NONE && stack->depth > stack->frame_count)
            truncated += cells[i].allocations;
    }
    return truncated;
}
