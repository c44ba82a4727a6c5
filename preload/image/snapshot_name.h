/* snapshot_name.h - from a pattern to the name of a snapshot.
 * Threads: any.  Signals: safe.  Heap: never. */
#ifndef HEAPTALLY_SNAPSHOT_NAME_H
#define HEAPTALLY_SNAPSHOT_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether %n is in the pattern: names then differ by the snapshot's number. */
bool snapshot_name_counts(const char *pattern);

/* Expands %e (program), %p (pid), %n (number), %l (label) and %% into out. `/` in a program or label, and
 * control characters, become `_`. try > 0 appends .1, .2, ... False: it does not fit. */
bool snapshot_name(char *out, size_t capacity, const char *pattern, uint32_t number, const char *label,
                   uint32_t try);

#endif
