/* symbols.c - the modules, each opened when an address of it is first asked for.
 * Owns:    struct symbols: names, modules, their files and indexes.
 * Holds:   a module is opened at most once; ids are indexes and never change.
 * Threads: one at a time.   Heap: yes, every failure returned or seen as "not known". */
#include "symbols.h"
#include "call_sites.h"
#include "dwarf_units.h"
#include "elf_files.h"
#include "names.h"
#include "notes.h"
#include "symbol_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_DEBUG_DIR "/usr/lib/debug"

struct module {
    char *path;
    uint8_t *build_id;
    size_t build_id_bytes;
    bool opened, noted;
    struct notes notes;
    struct elf_files files;
    struct symbol_table table;
    struct call_sites calls;
    struct dwarf_units *units;
};

struct symbols {
    struct names *names;
    struct elf_places places;
    struct module *modules;
    size_t count, capacity;
};

static bool copy_debug_dirs(struct elf_places *places, const char *const *dirs) {
    size_t count = 0;
    while (dirs && dirs[count])
        count++;
    places->debug_dirs = calloc(count + 2, sizeof *places->debug_dirs);
    if (!places->debug_dirs)
        return false;
    for (size_t i = 0; i <= count; i++) {
        places->debug_dirs[i] = strdup(i < count ? dirs[i] : DEFAULT_DEBUG_DIR);
        if (!places->debug_dirs[i])
            return false;
    }
    return true;
}

struct symbols *symbols_new(const struct symbols_options *options) {
    static const struct symbols_options none = {0};
    struct symbols *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    const struct symbols_options *wanted = options ? options : &none;
    self->names = names_new();
    self->places.sysroot = strdup(wanted->sysroot ? wanted->sysroot : "");
    if (!self->names || !self->places.sysroot || !copy_debug_dirs(&self->places, wanted->debug_dirs)) {
        symbols_free(self);
        return NULL;
    }
    return self;
}

/* The readers borrow the files: they go first. */
static void close_module(struct module *module) {
    dwarf_units_close(module->units);
    notes_clear(&module->notes);
    call_sites_clear(&module->calls);
    symbol_table_clear(&module->table);
    elf_files_close(&module->files);
    free(module->path);
    free(module->build_id);
}

void symbols_free(struct symbols *self) {
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++)
        close_module(&self->modules[i]);
    for (char **dir = self->places.debug_dirs; dir && *dir; dir++)
        free(*dir);
    free(self->places.debug_dirs);
    free(self->places.sysroot);
    free(self->modules);
    names_free(self->names);
    free(self);
}

static bool is_module(const struct module *module, const struct symbols_module *wanted) {
    return !strcmp(module->path, wanted->path) && module->build_id_bytes == wanted->build_id_bytes &&
           (!wanted->build_id_bytes || !memcmp(module->build_id, wanted->build_id, wanted->build_id_bytes));
}

static bool copy_module(struct module *module, const struct symbols_module *wanted) {
    *module = (struct module){.path = strdup(wanted->path), .build_id_bytes = wanted->build_id_bytes};
    module->build_id = malloc(wanted->build_id_bytes + 1);
    if (!module->path || !module->build_id) {
        close_module(module);
        return false;
    }
    if (wanted->build_id_bytes)
        memcpy(module->build_id, wanted->build_id, wanted->build_id_bytes);
    return true;
}

size_t symbols_add_module(struct symbols *self, const struct symbols_module *wanted) {
    for (size_t i = 0; i < self->count; i++)
        if (is_module(&self->modules[i], wanted))
            return i;
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? self->capacity * 2 : 32;
        struct module *modules = reallocarray(self->modules, capacity, sizeof *modules);
        if (!modules)
            return SYMBOLS_NO_MODULE;
        self->modules = modules;
        self->capacity = capacity;
    }
    if (!copy_module(&self->modules[self->count], wanted))
        return SYMBOLS_NO_MODULE;
    return self->count++;
}

static void open_table(struct module *module) {
    const struct elf_files *files = &module->files;
    bool done = (!files->main || symbol_table_add(&module->table, files->main)) &&
                (!files->debug || symbol_table_add(&module->table, files->debug)) &&
                (!files->mini || symbol_table_add(&module->table, files->mini)) &&
                symbol_table_finish(&module->table);
    if (!done)
        symbol_table_clear(&module->table);
}

static void open_module(struct symbols *self, struct module *module) {
    struct symbols_module wanted = {module->path, module->build_id, module->build_id_bytes};
    module->opened = true;
    elf_files_find(&module->files, &self->places, &wanted);
    struct elf_file *dwarf = elf_files_dwarf(&module->files);
    if (dwarf)
        module->units = dwarf_units_open(dwarf, module->files.alternate, self->names);
    open_table(module);
}

static struct module *find_module(struct symbols *self, size_t module) {
    return module < self->count ? &self->modules[module] : NULL;
}

size_t symbols_resolve(struct symbols *self, size_t id, uint64_t vaddr, struct symbols_frame *frames,
                       size_t capacity) {
    struct module *module = find_module(self, id);
    if (!module || !capacity)
        return 0;
    if (!module->opened)
        open_module(self, module);
    const char *symbol = symbol_table_find(&module->table, vaddr);
    size_t count = module->units ? dwarf_units_resolve(module->units, vaddr, symbol, frames, capacity) : 0;
    if (count || !symbol)
        return count;
    frames[0] = (struct symbols_frame){.function = names_readable(self->names, symbol)};
    return frames[0].function ? 1 : 0;
}

const char *symbols_callee(struct symbols *self, size_t id, uint64_t vaddr) {
    struct module *module = find_module(self, id);
    if (module && !module->opened)
        open_module(self, module);
    if (!module || !module->files.main)
        return NULL;
    const char *symbol = call_sites_find(&module->calls, module->files.main, &module->table, vaddr);
    return symbol ? names_readable(self->names, symbol) : NULL;
}

static void read_notes(struct symbols *self, struct module *module) {
    struct symbols_module wanted = {module->path, module->build_id, module->build_id_bytes};
    struct elf_file *file = elf_files_open_main(&self->places, &wanted);
    module->noted = true;
    if (file)
        notes_read(&module->notes, file, self->names);
    elf_file_close(file);
}

const char *symbols_suppression(struct symbols *self, size_t id, size_t index) {
    struct module *module = find_module(self, id);
    if (module && !module->noted)
        read_notes(self, module);
    return module && index < module->notes.count ? module->notes.texts[index] : NULL;
}

static enum symbols_quality quality_of(const struct module *module) {
    if (!module->opened)
        return SYMBOLS_UNOPENED;
    if (module->units)
        return SYMBOLS_DWARF;
    return module->table.count ? SYMBOLS_TABLE : SYMBOLS_NONE;
}

static const char *path_of(const struct elf_file *file) {
    return file->path ? file->path : "memory";
}

static void describe_dwarf(const struct module *module, FILE *out) {
    const struct elf_files *files = &module->files;
    fprintf(out, "lines and inlined calls from %s", path_of(elf_files_dwarf(files)));
    if (files->alternate)
        fprintf(out, " and %s", path_of(files->alternate));
    if (files->alternate_missing)
        fputs("; some names are missing with the file that dwz shares between packages", out);
    if (dwarf_units_lack_split(module->units))
        fputs("; no inlined calls where the debug info was split off: keep the .dwo files where the compiler "
              "left them (.dwp files are not read)",
              out);
    if (dwarf_units_are_damaged(module->units))
        fputs("; a part of it is damaged", out);
}

static void describe_no_lines(const struct module *module, FILE *out) {
    const struct elf_file *dwarf = elf_files_dwarf(&module->files);
    if (dwarf && dwarf->undecoded)
        fprintf(out, "the debug info of %s is compressed in a way that cannot be read", path_of(dwarf));
    else if (dwarf)
        fprintf(out, "the debug info of %s cannot be read", path_of(dwarf));
    else
        fputs("no debug info: compile with -g or install the package with its debug symbols", out);
}

static void describe_table(const struct module *module, FILE *out) {
    const struct elf_files *files = &module->files;
    const struct elf_file *file = files->debug ? files->debug : files->main;
    fprintf(out, "functions, no lines, from %s%s; ", path_of(file),
            files->mini ? " and its .gnu_debugdata" : "");
    describe_no_lines(module, out);
}

static void describe_nothing(const struct module *module, FILE *out) {
    if (module->files.main || module->files.debug) {
        fputs("no symbol table; ", out);
        describe_no_lines(module, out);
    } else if (!strcmp(module->path, "[vdso]")) {
        fputs("the kernel that runs here maps another [vdso] than the traced program's", out);
    } else if (!module->files.refusal) {
        fprintf(out, "%s is not there or not an ELF file", module->path);
    }
}

static void describe(const struct module *module, FILE *out) {
    const char *refusal = module->files.refusal;
    enum symbols_quality quality = quality_of(module);
    if (refusal)
        fprintf(out, "%s%s", refusal, quality == SYMBOLS_NONE ? "" : "; ");
    if (quality == SYMBOLS_DWARF)
        describe_dwarf(module, out);
    else if (quality == SYMBOLS_TABLE)
        describe_table(module, out);
    else if (quality == SYMBOLS_NONE)
        describe_nothing(module, out);
    else
        fputs("no address of it was asked for yet", out);
}

struct symbols_status symbols_status(struct symbols *self, size_t id) {
    const struct module *module = find_module(self, id);
    if (!module)
        return (struct symbols_status){SYMBOLS_NONE, "no such module"};
    struct symbols_status status = {quality_of(module), NULL};
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    if (out) {
        describe(module, out);
        if (fclose(out) == 0)
            status.reason = names_intern(self->names, text);
    }
    free(text);
    if (!status.reason)
        status.reason = "out of memory";
    return status;
}
