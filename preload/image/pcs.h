/* pcs.h - distinct code addresses, each with its module: address -> 4-byte id.
 * Owns:    the PCS region.   Holds: a published PC never changes.
 * Threads: any, lock-free.  Signals: safe.  Heap: never. */
#ifndef HEAPTALLY_PCS_H
#define HEAPTALLY_PCS_H

#include <stdint.h>

/* The id of a run-time address; salt as reused_code_salt says. 0 when the table is full. */
uint32_t pcs_intern(uint64_t pc, uint32_t salt);

#endif
