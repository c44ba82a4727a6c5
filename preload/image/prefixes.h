/* prefixes.h - which stack begins with some frames: of the frames that were stored lately.
 *
 * The frames of one thread's stack know their owner as long as they stay on it. This finds it again for
 * frames that come back, and for those of other threads: so that they are not stored twice.
 *
 * Owns:    the table.   Holds: what is found is a published stack's.
 * Threads: any, lock-free.  Signals: safe.  Heap: never. */
#ifndef HEAPTALLY_PREFIXES_H
#define HEAPTALLY_PREFIXES_H

#include <stdint.h>

#include "../unwind/stack_hash.h"

/* A published stack that begins with the frames that have this hash (of struct stack_frame); 0: none is
 * known. */
uint32_t prefixes_find(struct stack_hash hash);

/* Notes that a published stack does. */
void prefixes_note(struct stack_hash hash, uint32_t stack);

#endif
