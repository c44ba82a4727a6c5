/* notes.h - the texts that HEAPTALLY_SUPPRESS of heaptally.h has put into an ELF file.
 *
 * Owns:    nothing; the texts are those of `names`.   Threads: one at a time.   Heap: yes. */
#ifndef HEAPTALLY_SYMBOLS_NOTES_H
#define HEAPTALLY_SYMBOLS_NOTES_H

#include "elf_file.h"
#include "names.h"

struct notes {
    const char **texts;
    size_t count;
};

/* Reads all of a file; what is damaged is not there. */
void notes_read(struct notes *self, const struct elf_file *file, struct names *names);
void notes_clear(struct notes *self);

#endif
