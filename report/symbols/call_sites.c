/* call_sites.c - reads the bytes before a return address (Intel's manual, volume 2, CALL and JMP).
 * Owns:    struct call_sites' array.
 * Holds:   nothing is read beyond what a segment has in the file.
 * Threads: one at a time.   Heap: yes, every failure seen as "not known". */
#include "call_sites.h"

#include <stdlib.h>
#include <string.h>

#include <gelf.h>

/* ---- bytes ---- */

/* The bytes at an address of the module, or null if the file has not that many there. */
static const uint8_t *bytes_at(const struct elf_file *file, uint64_t address, size_t count) {
    size_t size_bytes, headers;
    const char *all = elf_rawfile(file->elf, &size_bytes);
    if (!all || elf_getphdrnum(file->elf, &headers) != 0)
        return NULL;
    for (size_t i = 0; i < headers; i++) {
        GElf_Phdr header;
        if (!gelf_getphdr(file->elf, (int)i, &header) || header.p_type != PT_LOAD || address < header.p_vaddr)
            continue;
        uint64_t at = address - header.p_vaddr;
        if (at > header.p_filesz || count > header.p_filesz - at)
            continue;
        if (header.p_offset > size_bytes || at + count > size_bytes - header.p_offset)
            return NULL;
        return (const uint8_t *)all + header.p_offset + at;
    }
    return NULL;
}

/* A 32-bit displacement, from the end of the instruction. */
static uint64_t relative(const uint8_t *bytes, uint64_t end) {
    int32_t distance;
    memcpy(&distance, bytes, sizeof distance);
    return end + (uint64_t)(int64_t)distance;
}

/* ---- slots ---- */

static void add_slot(struct call_sites *self, const GElf_Rela *relocation, const char *name) {
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? self->capacity * 2 : 64;
        struct call_slot *slots = reallocarray(self->slots, capacity, sizeof *slots);
        if (!slots)
            return;
        self->slots = slots;
        self->capacity = capacity;
    }
    self->slots[self->count++] = (struct call_slot){relocation->r_offset, name};
}

static void read_relocations(struct call_sites *self, Elf *elf, Elf_Scn *section, const GElf_Shdr *header) {
    GElf_Shdr table_header;
    Elf_Scn *table = elf_getscn(elf, header->sh_link);
    Elf_Data *symbols = table && gelf_getshdr(table, &table_header) ? elf_getdata(table, NULL) : NULL;
    Elf_Data *data = elf_getdata(section, NULL);
    size_t count = data && symbols && header->sh_entsize ? data->d_size / header->sh_entsize : 0;
    for (size_t i = 0; i < count && i < INT32_MAX; i++) {
        GElf_Rela relocation;
        GElf_Sym symbol;
        if (!gelf_getrela(data, (int)i, &relocation))
            return;
        uint64_t type = GELF_R_TYPE(relocation.r_info), index = GELF_R_SYM(relocation.r_info);
        if ((type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT) || index > INT32_MAX ||
            !gelf_getsym(symbols, (int)index, &symbol))
            continue;
        const char *name = elf_strptr(elf, table_header.sh_link, symbol.st_name);
        if (name && name[0])
            add_slot(self, &relocation, name);
    }
}

static int by_address(const void *left, const void *right) {
    const struct call_slot *a = left, *b = right;
    return a->address < b->address ? -1 : a->address > b->address;
}

static void index_slots(struct call_sites *self, const struct elf_file *file) {
    GElf_Ehdr header;
    GElf_Shdr section_header;
    self->indexed = true;
    if (!gelf_getehdr(file->elf, &header) || header.e_machine != EM_X86_64)
        return;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(file->elf, section)) != NULL;)
        if (gelf_getshdr(section, &section_header) && section_header.sh_type == SHT_RELA &&
            section_header.sh_flags & SHF_ALLOC)
            read_relocations(self, file->elf, section, &section_header);
    if (self->count)
        qsort(self->slots, self->count, sizeof *self->slots, by_address);
}

static const char *name_of_slot(const struct call_sites *self, uint64_t address) {
    const struct call_slot wanted = {address, NULL};
    const struct call_slot *found =
        self->count ? bsearch(&wanted, self->slots, self->count, sizeof wanted, by_address) : NULL;
    return found ? found->name : NULL;
}

/* ---- instructions ---- */

/* A stub jumps through a slot: ENDBR64 perhaps, BND perhaps, JMP *disp32(%rip). */
static const char *name_of_stub(const struct call_sites *self, const struct elf_file *file,
                                uint64_t address) {
    static const uint8_t endbr[] = {0xf3, 0x0f, 0x1e, 0xfa};
    const uint8_t *bytes = bytes_at(file, address, 11);
    size_t at = 0;
    if (!bytes)
        return NULL;
    at += memcmp(bytes, endbr, sizeof endbr) ? 0 : sizeof endbr;
    at += bytes[at] == 0xf2;
    if (bytes[at] != 0xff || bytes[at + 1] != 0x25)
        return NULL;
    return name_of_slot(self, relative(bytes + at + 2, address + at + 6));
}

/* CALL rel32 is E8 and four bytes, CALL *disp32(%rip) is FF 15 and four. */
const char *call_sites_find(struct call_sites *self, const struct elf_file *file,
                            const struct symbol_table *symbols, uint64_t return_address) {
    if (!self->indexed)
        index_slots(self, file);
    const uint8_t *bytes = return_address > 6 ? bytes_at(file, return_address - 6, 6) : NULL;
    if (!bytes || !self->count)
        return NULL;
    uint64_t target = relative(bytes + 2, return_address);
    if (bytes[0] == 0xff && bytes[1] == 0x15)
        return name_of_slot(self, target);
    if (bytes[1] != 0xe8)
        return NULL;
    const char *stub = name_of_stub(self, file, target);
    return stub ? stub : symbol_table_begins(symbols, target);
}

void call_sites_clear(struct call_sites *self) {
    free(self->slots);
    *self = (struct call_sites){0};
}
