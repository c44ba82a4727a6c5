/* losses.c - see losses.h.
 * Owns:    nothing.
 * Threads: any.  Signals: no.  Heap: no. */
#include "losses.h"

#include <string.h>

static const struct {
    enum ht_loss id;
    const char *name, *meaning;
} kinds[] = {
    {HT_LOSS_OVERFLOW_ALLOCATIONS, "overflow_allocations",
     "allocations without a stack, since the tables were full; they are in the row [overflow]; give more "
     "memory "
     "(HEAPTALLY_MEMORY) or keep fewer frames (-f)"},
    {HT_LOSS_UNTRACKED_BLOCKS, "untracked_blocks",
     "blocks that are in no row, since there was no memory to note them"},
    {HT_LOSS_UNTRACKED_BYTES, "untracked_bytes", "the bytes of these blocks"},
    {HT_LOSS_DEFERRED, "deferred",
     "allocations or frees by signal handlers that came too thick to be put off"},
    {HT_LOSS_SNAPSHOTS, "snapshots", "snapshots that could not be written"},
    {HT_LOSS_COMMIT, "commit_failures",
     "times that the image could not grow: its file system or the memory limit is full; HEAPTALLY_DIR names "
     "another "
     "directory"},
    {HT_LOSS_NO_FILE, "no_file", "the image has no file, so that it could be read only through snapshots"},
    {HT_LOSS_MODULES, "modules", "modules or paths that found no room; their frames have no name"},
    {HT_LOSS_CLIPPED_SIZES, "clipped_sizes",
     "blocks over 4 GiB whose size was cut to 4 GiB when they were freed"},
    {HT_LOSS_FORK, "fork", "forked children that could not make an image of their own, and were not traced"},
    {HT_LOSS_FREES, "frees", "frees that found no room to be counted: live is too high by these blocks"},
    {HT_LOSS_CONTEXTS, "contexts",
     "allocations whose scope, tag or domain found no room; they are counted without"},
    {HT_LOSS_DETAILS, "details",
     "events of stacks that found no room for details; give more memory (HEAPTALLY_MEMORY)"},
    {HT_LOSS_BIRTHS, "births",
     "blocks of which waste, age and lifetime are not known, since there was no room for their births; "
     "give more memory (HEAPTALLY_MEMORY)"},
};
_Static_assert(sizeof kinds / sizeof *kinds + 2 == LOSSES_COUNT,
               "one more for lost frees, which the slots count, and one for everything");

size_t losses_of(const struct tables *tables, struct loss losses[LOSSES_COUNT]) {
    size_t found = 0;
    for (size_t i = 0; i + 2 < LOSSES_COUNT; i++)
        losses[i] = (struct loss){kinds[i].name, kinds[i].meaning, tables->header.losses[kinds[i].id]};
    losses[LOSSES_COUNT - 1] = (struct loss){"not_traced",
                                             "the process was not traced when the snapshot was taken: it had "
                                             "stopped that (heaptally_stop), or never "
                                             "begun (HEAPTALLY_START=0)",
                                             tables->header.stopped};
    losses[LOSSES_COUNT - 2] = (struct loss){
        "lost_frees", "blocks that must have been freed unseen: their addresses were given out again",
        tables_sum_slots(tables).lost_frees};
    for (size_t i = 0; i < LOSSES_COUNT; i++)
        found += losses[i].value != 0;
    return found;
}
