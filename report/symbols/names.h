/* names.h - all strings that the symboliser hands out: each text once, each symbol demangled once.
 *
 * Threads: one at a time.   Heap: yes. */
#ifndef HEAPTALLY_SYMBOLS_NAMES_H
#define HEAPTALLY_SYMBOLS_NAMES_H

#include <stddef.h>

struct names;

struct names *names_new(void); /* null: out of memory */
void names_free(struct names *self);

/* Returns the one copy of `text`, valid as long as `self`; null when out of memory. */
const char *names_intern(struct names *self, const char *text);

/* Returns the readable form of a linker's symbol, its version ("@@GLIBC_2.2.5") removed. */
const char *names_readable(struct names *self, const char *symbol);

#endif
