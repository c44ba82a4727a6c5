/* needed.c - see needed.h. Reads at most DYNAMIC_MAX entries, and of each name what is compared.
 * Owns:    nothing.
 * Threads: any.  Signals: no.  Heap: no. */
#include "needed.h"

#include <string.h>
#include <unistd.h>

#define DYNAMIC_MAX 512
#define PREFIX_MAX  64

static bool read_at(int fd, void *to, size_t bytes, uint64_t offset) {
    return offset <= INT64_MAX && pread(fd, to, bytes, (off_t)offset) == (ssize_t)bytes;
}

/* The offset in the file of what the loader maps at `address`; 0: nothing. */
static uint64_t offset_of(const Elf64_Phdr *segments, size_t count, uint64_t address) {
    for (size_t i = 0; i < count; i++)
        if (segments[i].p_type == PT_LOAD && address - segments[i].p_vaddr < segments[i].p_filesz)
            return segments[i].p_offset + (address - segments[i].p_vaddr);
    return 0;
}

/* Reads the dynamic section; returns how many entries it has. */
static size_t read_dynamic(int fd, const Elf64_Phdr *segments, size_t count, Elf64_Dyn *entries) {
    for (size_t i = 0; i < count; i++) {
        size_t fit = segments[i].p_filesz / sizeof *entries;
        if (segments[i].p_type != PT_DYNAMIC)
            continue;
        fit = fit < DYNAMIC_MAX ? fit : DYNAMIC_MAX;
        return read_at(fd, entries, fit * sizeof *entries, segments[i].p_offset) ? fit : 0;
    }
    return 0;
}

bool needed_library(int fd, const Elf64_Phdr *segments, size_t count, const char *prefix) {
    Elf64_Dyn entries[DYNAMIC_MAX];
    char name[PREFIX_MAX];
    size_t length = strlen(prefix), entry_count = read_dynamic(fd, segments, count, entries);
    uint64_t strings = 0;
    for (size_t i = 0; i < entry_count; i++)
        if (entries[i].d_tag == DT_STRTAB)
            strings = offset_of(segments, count, entries[i].d_un.d_ptr);
    for (size_t i = 0; strings != 0 && length <= sizeof name && i < entry_count; i++)
        if (entries[i].d_tag == DT_NEEDED && read_at(fd, name, length, strings + entries[i].d_un.d_val) &&
            memcmp(name, prefix, length) == 0)
            return true;
    return false;
}
