/* fuzz_symbols.c - bytes -> an ELF file with DWARF -> names of addresses, as the symboliser finds them.
 *
 * An input is the file and, in its last 8 bytes, where to ask; the file's entry point is asked for too, near
 * which the code of small programs lies. It is read from a file without a name.
 *
 * Threads: one.  Heap: yes. */
#define _GNU_SOURCE
#include "symbols.h"

#include <elf.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ADDRESSES 32
#define STRIDE    13 /* so that a few functions, and places inside of them, are asked for */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask_from(struct symbols *symbols, size_t id, uint64_t from) {
    struct symbols_frame frames[8];
    for (uint64_t i = 0; i < ADDRESSES; i++) {
        if (symbols_resolve(symbols, id, from + i * STRIDE, frames, 8) > 8)
            abort();
        symbols_callee(symbols, id, from + i * STRIDE);
    }
}

static void ask(const char *path, uint64_t entry, uint64_t from) {
    struct symbols_module module = {.path = path};
    struct symbols *symbols = symbols_new(NULL);
    if (symbols == NULL)
        abort();
    size_t id = symbols_add_module(symbols, &module);
    for (size_t i = 0; symbols_suppression(symbols, id, i) != NULL; i++)
        if (i > 100000)
            abort();
    ask_from(symbols, id, entry);
    ask_from(symbols, id, from);
    if (symbols_status(symbols, id).reason == NULL)
        abort();
    symbols_free(symbols);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint64_t from, entry;
    char path[64];
    if (size < sizeof(Elf64_Ehdr) + sizeof from)
        return 0;
    memcpy(&from, data + size - sizeof from, sizeof from);
    memcpy(&entry, data + offsetof(Elf64_Ehdr, e_entry), sizeof entry);
    int file = memfd_create("fuzz", MFD_CLOEXEC);
    if (file < 0 || write(file, data, size - sizeof from) != (ssize_t)(size - sizeof from))
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    ask(path, entry, from);
    close(file);
    return 0;
}
