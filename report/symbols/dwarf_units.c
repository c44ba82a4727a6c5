/* dwarf_units.c - address -> unit -> chain of inlined calls, file, line.
 * Owns:    struct dwarf_units.
 * Holds:   the table of units comes from the units themselves: .debug_aranges is absent or incomplete where
 * clang was the compiler. A unit is indexed at most once, also if that fails. Threads: one at a time.   Heap:
 * yes, every failure returned or seen as "not known". */
#include "dwarf_units.h"
#include "source_path.h"
#include "unit_scopes.h"

#include <stdlib.h>
#include <string.h>

#include <dwarf.h>
#include <elfutils/libdw.h>

#define MOST_UNIT_RANGES ((uint64_t)1 << 24)

struct unit {
    Dwarf_Die die;       /* in the file itself: has the line table */
    Dwarf_Die scope_die; /* has the functions; of a split unit another one */
    struct unit_scopes scopes;
    Dwarf_Lines *lines;
    size_t line_count;
    Dwarf_Files *files; /* of scope_die */
    size_t file_count;
    const char **paths; /* of `files`, as far as needed */
    const char *directory;
    bool indexed;
    bool plain_names; /* C: a function's name is what the linker sees */
};

struct dwarf_units {
    Dwarf *dwarf, *alternate;
    struct names *names;
    struct unit *units;
    size_t count, capacity;
    struct intervals extents;
    uint64_t ranges;
    bool lacks_split, damaged;
};

/* Adds a unit's ranges. Returns how many, or -1 when out of memory. */
static long add_ranges(struct dwarf_units *self, Dwarf_Die *die, uint32_t index) {
    Dwarf_Addr base, low, high;
    long added = 0;
    for (ptrdiff_t next = 0; (next = dwarf_ranges(die, next, &base, &low, &high)) > 0;) {
        if (++self->ranges > MOST_UNIT_RANGES) {
            self->damaged = true;
            break;
        }
        if (low == 0 || low >= high)
            continue;
        if (!intervals_add(&self->extents, (struct interval){low, high, 0, index}))
            return -1;
        added++;
    }
    return added;
}

/* A unit that does not say where its code is: its functions do. */
static bool add_function_ranges(struct dwarf_units *self, Dwarf_Die *unit, uint32_t index) {
    Dwarf_Die die;
    Dwarf_Off furthest = dwarf_dieoffset(unit);
    for (int end = dwarf_child(unit, &die); end == 0; end = dwarf_siblingof(&die, &die)) {
        if (dwarf_dieoffset(&die) <= furthest)
            break;
        furthest = dwarf_dieoffset(&die);
        if (dwarf_tag(&die) == DW_TAG_subprogram && add_ranges(self, &die, index) < 0)
            return false;
    }
    return true;
}

static bool add_unit(struct dwarf_units *self, Dwarf_Die *die) {
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? self->capacity * 2 : 64;
        struct unit *units =
            capacity < INTERVALS_NONE ? reallocarray(self->units, capacity, sizeof *units) : NULL;
        if (!units)
            return false;
        self->units = units;
        self->capacity = capacity;
    }
    uint32_t index = (uint32_t)self->count;
    self->units[self->count++] = (struct unit){.die = *die, .scope_die = *die};
    long ranges = add_ranges(self, die, index);
    if (ranges == 0 && dwarf_haschildren(die) > 0)
        return add_function_ranges(self, die, index);
    return ranges >= 0;
}

static bool add_units(struct dwarf_units *self) {
    Dwarf_CU *unit = NULL;
    Dwarf_Die die;
    uint8_t type;
    int end;
    while ((end = dwarf_get_units(self->dwarf, unit, &unit, NULL, &type, &die, NULL)) == 0) {
        bool has_code = dwarf_tag(&die) == DW_TAG_compile_unit || dwarf_tag(&die) == DW_TAG_skeleton_unit;
        if (has_code && (type == DW_UT_compile || type == DW_UT_skeleton) && !add_unit(self, &die))
            return false;
    }
    self->damaged = self->damaged || end < 0;
    return intervals_flatten(&self->extents);
}

struct dwarf_units *dwarf_units_open(const struct elf_file *file, const struct elf_file *alternate,
                                     struct names *names) {
    struct dwarf_units *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->names = names;
    self->dwarf = dwarf_begin_elf(file->elf, DWARF_C_READ, NULL);
    self->alternate = alternate ? dwarf_begin_elf(alternate->elf, DWARF_C_READ, NULL) : NULL;
    if (self->dwarf && self->alternate)
        dwarf_setalt(self->dwarf, self->alternate);
    if (!self->dwarf || !add_units(self) || !self->count) {
        dwarf_units_close(self);
        return NULL;
    }
    return self;
}

void dwarf_units_close(struct dwarf_units *self) {
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++) {
        unit_scopes_clear(&self->units[i].scopes);
        free(self->units[i].paths);
    }
    free(self->units);
    intervals_clear(&self->extents);
    dwarf_end(self->dwarf);
    dwarf_end(self->alternate);
    free(self);
}

static const char *text_of(Dwarf_Die *die, unsigned name) {
    Dwarf_Attribute attribute;
    return dwarf_attr(die, name, &attribute) ? dwarf_formstring(&attribute) : NULL;
}

static bool is_c(Dwarf_Die *unit) {
    switch (dwarf_srclang(unit)) {
    case DW_LANG_C:
    case DW_LANG_C89:
    case DW_LANG_C99:
    case DW_LANG_C11:
    case DW_LANG_Mips_Assembler: return true;
    default: return false;
    }
}

/* Finds the rest of a unit whose compiler left it in a .dwo file. */
static void follow_split(struct dwarf_units *self, struct unit *unit) {
    Dwarf_Die split;
    uint8_t type;
    memset(&split, 0, sizeof split);
    if (dwarf_cu_info(unit->die.cu, NULL, &type, NULL, &split, NULL, NULL, NULL) != 0 ||
        type != DW_UT_skeleton)
        return;
    if (split.addr)
        unit->scope_die = split;
    else if (dwarf_haschildren(&unit->die) <= 0)
        self->lacks_split = true;
}

static void index_unit(struct dwarf_units *self, struct unit *unit) {
    unit->indexed = true;
    follow_split(self, unit);
    unit->directory = text_of(&unit->die, DW_AT_comp_dir);
    unit->plain_names = is_c(&unit->scope_die);
    if (dwarf_getsrclines(&unit->die, &unit->lines, &unit->line_count) != 0)
        unit->line_count = 0;
    if (dwarf_getsrcfiles(&unit->scope_die, &unit->files, &unit->file_count) != 0)
        unit->file_count = 0;
    unit->paths = unit->file_count ? calloc(unit->file_count, sizeof *unit->paths) : NULL;
    bool built = unit_scopes_build(&unit->scopes, &unit->scope_die);
    self->damaged = self->damaged || !built || unit->scopes.cut;
}

/* Whether the first parts of `path` are those of `directory`, both normalised. */
static bool is_below(const char *path, const char *directory) {
    size_t length = strlen(directory);
    return !strncmp(path, directory, length) && path[length] == '/';
}

/* libdw joins a relative name to an absolute directory. With the relative ones of a reproducible build
 * ("-ffile-prefix-map=/build=.") names in the line table may hold the directory already, or not. */
static const char *full_path(struct dwarf_units *self, const struct unit *unit, const char *name) {
    char *path = name ? source_path(NULL, name) : NULL;
    char *directory = path && path[0] != '/' && unit->directory ? source_path(NULL, unit->directory) : NULL;
    if (directory && !is_below(path, directory)) {
        char *joined = source_path(directory, path);
        free(path);
        path = joined;
    }
    const char *kept = path ? names_intern(self->names, path) : NULL;
    free(directory);
    free(path);
    return kept;
}

static const char *file_path(struct dwarf_units *self, struct unit *unit, size_t index) {
    if (index >= unit->file_count || !unit->paths)
        return NULL;
    if (!unit->paths[index])
        unit->paths[index] = full_path(self, unit, dwarf_filesrc(unit->files, index, NULL, NULL));
    return unit->paths[index];
}

/* The row of the line table that covers `address`, or null. */
static Dwarf_Line *find_line(const struct unit *unit, uint64_t address) {
    size_t low = 0, high = unit->line_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        Dwarf_Addr at = 0;
        dwarf_lineaddr(dwarf_onesrcline(unit->lines, middle), &at);
        if (at <= address)
            low = middle + 1;
        else
            high = middle;
    }
    Dwarf_Line *line = low ? dwarf_onesrcline(unit->lines, low - 1) : NULL;
    bool ends = true;
    return line && dwarf_lineendsequence(line, &ends) == 0 && !ends ? line : NULL;
}

static void place_by_line(struct dwarf_units *self, struct unit *unit, uint64_t address,
                          struct symbols_frame *frame) {
    Dwarf_Line *line = find_line(unit, address);
    Dwarf_Files *files;
    size_t index;
    int number = 0;
    if (!line)
        return;
    if (dwarf_line_file(line, &files, &index) == 0 && files == unit->files)
        frame->file = file_path(self, unit, index);
    else
        frame->file = full_path(self, unit, dwarf_linesrc(line, NULL, NULL));
    if (dwarf_lineno(line, &number) == 0 && number > 0)
        frame->line = (uint32_t)number;
}

static const char *linkage_name(Dwarf_Die *die) {
    Dwarf_Attribute attribute;
    if (!dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) &&
        !dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute))
        return NULL;
    return dwarf_formstring(&attribute);
}

static const char *plain_name(struct dwarf_units *self, Dwarf_Die *die) {
    Dwarf_Attribute attribute;
    const char *name =
        dwarf_attr_integrate(die, DW_AT_name, &attribute) ? dwarf_formstring(&attribute) : NULL;
    return name ? names_intern(self->names, name) : NULL;
}

/* Where the debug info lacks the linker's name, the symbol table's says more ("S::S(int)"), if it is a
 * mangled one: a name with a clone's suffix ("f.cold") says less. */
static const char *function_name(struct dwarf_units *self, const struct unit *unit, Dwarf_Die *die,
                                 const char *symbol) {
    const char *linkage = unit->plain_names ? NULL : linkage_name(die);
    if (linkage)
        return names_readable(self->names, linkage);
    const char *readable = symbol && !unit->plain_names ? names_readable(self->names, symbol) : NULL;
    if (readable && strncmp(readable, symbol, strlen(readable)) != 0)
        return readable;
    const char *plain = plain_name(self, die);
    return plain || !symbol ? plain : names_readable(self->names, symbol);
}

/* Where the function that a scope is of begins: its definition, where that is not its declaration. */
static void find_first_line(struct dwarf_units *self, struct unit *unit, Dwarf_Die *die,
                            struct unit_scope *scope) {
    Dwarf_Attribute attribute;
    Dwarf_Word file, line;
    if (!dwarf_attr_integrate(die, DW_AT_decl_line, &attribute) || dwarf_formudata(&attribute, &line) != 0 ||
        line > UINT32_MAX)
        return;
    if (!dwarf_attr_integrate(die, DW_AT_decl_file, &attribute) || dwarf_formudata(&attribute, &file) != 0)
        return;
    scope->first_line = (uint32_t)line;
    scope->first_file = file_path(self, unit, file);
}

static const char *scope_name(struct dwarf_units *self, struct unit *unit, struct unit_scope *scope,
                              const char *symbol) {
    Dwarf_Die die;
    if (scope->name)
        return scope->name;
    Dwarf *dwarf = dwarf_cu_getdwarf(unit->scope_die.cu);
    if (!dwarf_offdie(dwarf, scope->die, &die))
        return NULL;
    scope->name = function_name(self, unit, &die, scope->parent == UNIT_SCOPE_NONE ? symbol : NULL);
    find_first_line(self, unit, &die, scope);
    return scope->name;
}

/* Follows the scopes outwards. frames[0] has its place; each next one's is where the inner call stood. */
static size_t fill_chain(struct dwarf_units *self, struct unit *unit, uint32_t index, const char *symbol,
                         struct symbols_frame *frames, size_t capacity) {
    size_t count = 0;
    while (index != UNIT_SCOPE_NONE && count < capacity) {
        struct unit_scope *scope = &unit->scopes.items[index];
        frames[count].function = scope_name(self, unit, scope, symbol);
        frames[count].inlined = scope->parent != UNIT_SCOPE_NONE;
        if (frames[count].file && frames[count].file == scope->first_file)
            frames[count].first_line = scope->first_line;
        if (++count < capacity && scope->parent != UNIT_SCOPE_NONE)
            frames[count] = (struct symbols_frame){.file = file_path(self, unit, scope->call_file),
                                                   .line = scope->call_line};
        index = scope->parent;
    }
    return count;
}

size_t dwarf_units_resolve(struct dwarf_units *self, uint64_t address, const char *symbol,
                           struct symbols_frame *frames, size_t capacity) {
    uint32_t index = intervals_find(&self->extents, address);
    if (index == INTERVALS_NONE || !capacity)
        return 0;
    struct unit *unit = &self->units[index];
    if (!unit->indexed)
        index_unit(self, unit);
    frames[0] = (struct symbols_frame){0};
    place_by_line(self, unit, address, &frames[0]);
    uint32_t scope = unit_scopes_find(&unit->scopes, address);
    if (scope != UNIT_SCOPE_NONE)
        return fill_chain(self, unit, scope, symbol, frames, capacity);
    frames[0].function = symbol ? names_readable(self->names, symbol) : NULL;
    return frames[0].function || frames[0].file ? 1 : 0;
}

bool dwarf_units_lack_split(const struct dwarf_units *self) {
    return self->lacks_split;
}

bool dwarf_units_are_damaged(const struct dwarf_units *self) {
    return self->damaged;
}
