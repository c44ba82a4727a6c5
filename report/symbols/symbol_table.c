/* symbol_table.c - symbols -> extents.
 * Owns:    struct symbol_table's arrays.
 * Holds:   a symbol with a size covers that size; one without (hand-written assembly) reaches to the next
 * symbol of its section, and only if the table is complete, that is .symtab: in a stripped library the next
 *          exported name may be many functions away.
 * Threads: one at a time.   Heap: yes, every failure returned. */
#include "symbol_table.h"

#include <stdlib.h>
#include <string.h>

#include <gelf.h>

struct symbol {
    uint64_t low, high; /* high 0: not known yet */
    uint64_t section_end;
    const char *name;
    uint32_t section;
    uint32_t rank; /* of names for one extent the greater is the better */
};

struct symbol_list {
    struct symbol *items;
    size_t count;
    bool complete;
};

/* Global before weak before local; then the name with fewer leading underscores. */
static uint32_t rank_of(const GElf_Sym *symbol, const char *name) {
    uint32_t binding = GELF_ST_BIND(symbol->st_info);
    uint32_t level = binding == STB_GLOBAL || binding == STB_GNU_UNIQUE ? 2 : binding == STB_WEAK ? 1 : 0;
    size_t underscores = strspn(name, "_");
    return level * 16 + (underscores < 15 ? 15 - (uint32_t)underscores : 0);
}

/* Functions, IFUNC resolvers, and the bare labels of assembly; not the mapping symbols of ARM ("$x"), not the
 * compilers' own labels. */
static bool names_code(const GElf_Sym *symbol, const char *name) {
    unsigned type = GELF_ST_TYPE(symbol->st_info);
    if (!name || !name[0] || symbol->st_shndx == SHN_UNDEF || !symbol->st_value)
        return false;
    if (type == STT_NOTYPE)
        return name[0] != '$' && strncmp(name, ".L", 2) != 0;
    return type == STT_FUNC || type == STT_GNU_IFUNC;
}

/* Fills in the extent as far as the symbol and its section tell. False: it lies outside of code. */
static bool place(struct symbol *out, Elf *elf, const GElf_Sym *symbol) {
    GElf_Shdr header;
    Elf_Scn *section = elf_getscn(elf, out->section);
    if (!section || !gelf_getshdr(section, &header) || !(header.sh_flags & SHF_EXECINSTR))
        return false;
    out->section_end = header.sh_addr + header.sh_size;
    out->low = symbol->st_value;
    if (out->low < header.sh_addr || out->low >= out->section_end)
        return false;
    uint64_t room = out->section_end - out->low;
    if (symbol->st_size)
        out->high = out->low + (symbol->st_size < room ? symbol->st_size : room);
    return true;
}

static void read_symbol(struct symbol_list *list, Elf *elf, Elf_Data *data, Elf_Data *indexes, size_t index,
                        size_t strings) {
    GElf_Sym symbol;
    Elf32_Word wide = 0;
    if (!gelf_getsymshndx(data, indexes, (int)index, &symbol, &wide))
        return;
    struct symbol item = {.name = elf_strptr(elf, strings, symbol.st_name)};
    if (!names_code(&symbol, item.name))
        return;
    item.section = symbol.st_shndx == SHN_XINDEX ? wide : symbol.st_shndx;
    item.rank = rank_of(&symbol, item.name);
    if (place(&item, elf, &symbol))
        list->items[list->count++] = item;
}

/* The section with wide section numbers that belongs to a symbol table of more than 65280 sections. */
static Elf_Data *wide_indexes(Elf *elf, Elf_Scn *table) {
    int index = elf_scnshndx(table);
    Elf_Scn *section = index > 0 ? elf_getscn(elf, (size_t)index) : NULL;
    return section ? elf_getdata(section, NULL) : NULL;
}

static bool read_symbols(struct symbol_list *list, Elf *elf, Elf_Scn *table, const GElf_Shdr *header) {
    Elf_Data *data = elf_getdata(table, NULL);
    size_t count = data && header->sh_entsize ? data->d_size / header->sh_entsize : 0;
    if (!count || count > INT32_MAX)
        return true;
    list->items = calloc(count, sizeof *list->items);
    if (!list->items)
        return false;
    Elf_Data *indexes = wide_indexes(elf, table);
    for (size_t i = 1; i < count; i++)
        read_symbol(list, elf, data, indexes, i, header->sh_link);
    return true;
}

static Elf_Scn *find_table(Elf *elf, uint32_t type, GElf_Shdr *header) {
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section)) != NULL;)
        if (gelf_getshdr(section, header) && header->sh_type == type && header->sh_size)
            return section;
    return NULL;
}

static int compare_symbols(const void *left, const void *right) {
    const struct symbol *a = left, *b = right;
    if (a->section != b->section)
        return a->section < b->section ? -1 : 1;
    if (a->low != b->low)
        return a->low < b->low ? -1 : 1;
    return (a->high < b->high) - (a->high > b->high);
}

/* Gives symbols without a size theirs; one inside of a sized function stays empty. The list is sorted. */
static void extend_unsized(struct symbol_list *list) {
    uint64_t covered = 0;
    uint32_t section = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct symbol *item = &list->items[i];
        covered = item->section == section ? covered : 0;
        section = item->section;
        if (item->high) {
            covered = item->high > covered ? item->high : covered;
        } else if (item->low < covered) {
            item->high = item->low;
        } else if (!list->complete) {
            item->high = item->low + 1;
        }
    }
    uint64_t next = 0;
    for (size_t i = list->count; i-- > 0;) {
        struct symbol *item = &list->items[i];
        bool last = i + 1 == list->count || list->items[i + 1].section != item->section;
        if (last)
            next = item->section_end;
        else if (list->items[i + 1].low != item->low)
            next = list->items[i + 1].low;
        if (!item->high)
            item->high = next < item->section_end ? next : item->section_end;
    }
}

static bool append(struct symbol_table *self, const struct symbol *item) {
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? self->capacity * 2 : 256;
        const char **names = reallocarray(self->names, capacity, sizeof *names);
        if (!names)
            return false;
        self->names = names;
        uint64_t *lows = reallocarray(self->lows, capacity, sizeof *lows);
        if (!lows)
            return false;
        self->lows = lows;
        self->capacity = capacity;
    }
    struct interval extent = {item->low, item->high, item->rank, (uint32_t)self->count};
    self->lows[self->count] = item->low;
    self->names[self->count++] = item->name;
    return intervals_add(&self->extents, extent);
}

bool symbol_table_add(struct symbol_table *self, const struct elf_file *file) {
    GElf_Shdr header;
    struct symbol_list list = {0};
    Elf_Scn *table = find_table(file->elf, SHT_SYMTAB, &header);
    if (!table)
        table = find_table(file->elf, SHT_DYNSYM, &header);
    /* What .gnu_debugdata holds is a .symtab without the exported names. */
    list.complete = table && header.sh_type == SHT_SYMTAB && !file->memory;
    bool done = !table || read_symbols(&list, file->elf, table, &header);
    if (list.count) {
        qsort(list.items, list.count, sizeof *list.items, compare_symbols);
        extend_unsized(&list);
    }
    for (size_t i = 0; done && i < list.count; i++)
        done = append(self, &list.items[i]);
    free(list.items);
    return done;
}

bool symbol_table_finish(struct symbol_table *self) {
    return intervals_flatten(&self->extents);
}

const char *symbol_table_find(const struct symbol_table *self, uint64_t address) {
    uint32_t index = intervals_find(&self->extents, address);
    return index == INTERVALS_NONE ? NULL : self->names[index];
}

const char *symbol_table_begins(const struct symbol_table *self, uint64_t address) {
    uint32_t index = intervals_find(&self->extents, address);
    return index == INTERVALS_NONE || self->lows[index] != address ? NULL : self->names[index];
}

void symbol_table_clear(struct symbol_table *self) {
    free(self->lows);
    intervals_clear(&self->extents);
    free(self->names);
    *self = (struct symbol_table){0};
}
