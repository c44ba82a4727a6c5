/* losses.h - what a traced process could not record, by name and in words. */
#ifndef HEAPTALLY_REPORT_LOSSES_H
#define HEAPTALLY_REPORT_LOSSES_H

#include "tables.h"

struct loss {
    const char *name;    /* as in JSON */
    const char *meaning; /* a sentence: what the number counts, and what to do about it */
    uint64_t value;
};

#define LOSSES_COUNT 16

/* Fills all of `losses`, zero ones too. Returns how many are not zero. */
size_t losses_of(const struct tables *tables, struct loss losses[LOSSES_COUNT]);

#endif
