/* track_mappings.h - the story of one mapping: what track.h is for blocks.
 *
 * Every function here may be called as those of track.h may. Without an effect where the process is not
 * traced. */
#ifndef HEAPTALLY_TRACK_MAPPINGS_H
#define HEAPTALLY_TRACK_MAPPINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mappings.h"

struct caller;

/* A range was mapped: call before the program sees the address. */
void track_mapped(uintptr_t start, size_t bytes, const struct caller *caller);

/* A range is about to be unmapped: takes it out of the ledger. Then call track_unmapped, or where that has
 * failed track_still_mapped; check: the call may have unmapped some of it all the same. */
struct mappings_taken track_unmapping(uintptr_t start, size_t bytes);
void track_unmapped(struct mappings_taken taken);
void track_still_mapped(struct mappings_taken taken, bool check);

#endif
