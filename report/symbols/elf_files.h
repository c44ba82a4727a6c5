/* elf_files.h - which files on this machine describe a module of the traced process.
 *
 * A file is used only if its build-id is the module's; a separate debug file without a build-id only if the
 * checksum in .gnu_debuglink is its own.
 *
 * Owns:    the open files.   Threads: one at a time.   Heap: yes. */
#ifndef HEAPTALLY_SYMBOLS_ELF_FILES_H
#define HEAPTALLY_SYMBOLS_ELF_FILES_H

#include "elf_file.h"
#include "symbols.h"

struct elf_places {
    char *sysroot;     /* "" if none */
    char **debug_dirs; /* null-terminated, /usr/lib/debug included */
};

struct elf_files {
    struct elf_file *main;      /* the module itself; null: not found, or another build */
    struct elf_file *debug;     /* a separate debug file, or null */
    struct elf_file *mini;      /* what .gnu_debugdata holds, or null */
    struct elf_file *alternate; /* what dwz moved out of the debug info, or null */
    bool alternate_missing;
    char *refusal; /* why the file at the module's path is not used; null: it is, or there is none */
};

/* Finds what there is. All members may be null afterwards. */
void elf_files_find(struct elf_files *self, const struct elf_places *places,
                    const struct symbols_module *module);

/* The module itself alone, to be closed with elf_file_close; null as above. */
struct elf_file *elf_files_open_main(const struct elf_places *places, const struct symbols_module *module);

/* The file to read DWARF from, or null. */
struct elf_file *elf_files_dwarf(const struct elf_files *self);

void elf_files_close(struct elf_files *self);

#endif
