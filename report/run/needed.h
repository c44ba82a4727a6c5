/* needed.h - which libraries an ELF file asks the loader for (DT_NEEDED). */
#ifndef HEAPTALLY_REPORT_NEEDED_H
#define HEAPTALLY_REPORT_NEEDED_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>

/* Whether a library whose name begins with `prefix` is asked for by the file `fd` with these program headers.
 * False, too, where that cannot be read. */
bool needed_library(int fd, const Elf64_Phdr *segments, size_t count, const char *prefix);

#endif
