/* elf_file.h - one ELF file, open for reading: on disk, or in memory.
 *
 * Owns:    the descriptor, the libelf handle, its buffers.   Threads: one at a time.   Heap: yes. */
#ifndef HEAPTALLY_SYMBOLS_ELF_FILE_H
#define HEAPTALLY_SYMBOLS_ELF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <libelf.h>

#define ELF_FILE_UNPACKED 64

struct elf_file {
    Elf *elf;
    char *path; /* null: in memory */
    int descriptor;
    void *memory;
    const uint8_t *build_id; /* null: it has none */
    size_t build_id_bytes;
    bool undecoded; /* a section is compressed in a way that could not be unpacked */
    size_t unpacked_count;
    void *unpacked[ELF_FILE_UNPACKED];
};

/* Opens an ELF file; null if there is no regular file, it is not ELF, or memory is short. */
struct elf_file *elf_file_open(const char *path);

/* Takes over `bytes`, from malloc, in any case. */
struct elf_file *elf_file_from_memory(void *bytes, size_t size_bytes);

void elf_file_close(struct elf_file *self);

/* Makes sections that libdw cannot read, or not safely, readable; to be called before libdw is. */
void elf_file_unpack(struct elf_file *self);

/* The section of that name, or null. */
Elf_Scn *elf_file_section(const struct elf_file *self, const char *name);

/* The contents of a section, or null if it is absent, empty or has none in this file. */
const Elf_Data *elf_file_data(const struct elf_file *self, const char *name);

bool elf_file_has_dwarf(const struct elf_file *self);

#endif
