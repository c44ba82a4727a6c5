/* unpack.h - compressed parts of ELF files that libdw does not read by itself. */
#ifndef HEAPTALLY_SYMBOLS_UNPACK_H
#define HEAPTALLY_SYMBOLS_UNPACK_H

#include <stddef.h>
#include <stdbool.h>
#include <libelf.h>

struct unpacked {
    void *bytes; /* from malloc */
    size_t size_bytes;
};

/* Unpacks an .xz stream (.gnu_debugdata). Returns {0} when it is damaged, unreasonably large, or memory is
 * short. */
struct unpacked unpack_xz(const void *bytes, size_t size_bytes);

/* Replaces every section compressed with zstd by its contents, in memory. The buffers go to `kept`, an array
 * of at most `capacity`, to be freed after `elf` has been closed; `*kept_count` says how many. Returns false
 * if a section could not be unpacked: it stays as it is. */
bool unpack_zstd_sections(Elf *elf, void **kept, size_t capacity, size_t *kept_count);

#endif
