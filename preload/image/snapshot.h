/* snapshot.h - a copy of the image at rest, in a file, written by nothing but reads and system calls.
 *
 * The file has the image's format, regions packed and checksummed (heaptally_format.h). It appears under
 * its name whole or not at all. Other threads run on meanwhile; each cell is copied between two of its
 * owner's updates, except one that the calling thread itself was updating.
 *
 * Threads: any; one at a time, the second is refused.  Signals: safe.  Heap: never. */
#ifndef HEAPTALLY_SNAPSHOT_H
#define HEAPTALLY_SNAPSHOT_H

#include <stdint.h>

#include "heaptally_format.h"

/* Writes a snapshot named by options.out, and its line to the session's log if there is one. Returns its
 * number, or 0 after counting it as lost. */
uint32_t snapshot_take(enum ht_trigger trigger, const char *label);

/* In a forked child: a snapshot that another thread of the parent was writing is none of ours. */
void snapshot_after_fork(void);

#endif
