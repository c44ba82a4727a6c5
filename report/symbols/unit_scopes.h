/* unit_scopes.h - the functions and inlined calls of one compile unit, by address.
 *
 * Owns:    its index.   Threads: one at a time.   Heap: yes. */
#ifndef HEAPTALLY_SYMBOLS_UNIT_SCOPES_H
#define HEAPTALLY_SYMBOLS_UNIT_SCOPES_H

#include "intervals.h"

#include <elfutils/libdw.h>

#define UNIT_SCOPE_NONE INTERVALS_NONE

/* A function, or an inlined call of one. */
struct unit_scope {
    Dwarf_Off die;    /* in the unit's section */
    const char *name; /* readable; for the user of the index to fill in */
    uint32_t parent;  /* the scope it was inlined into; UNIT_SCOPE_NONE: a function of its own */
    uint32_t call_file, call_line;
    uint32_t first_line;    /* as `name`, with it */
    const char *first_file; /* of first_line */
};

struct unit_scopes {
    struct unit_scope *items;
    size_t count, capacity;
    struct intervals extents;
    bool cut; /* larger than any real unit: a part was left out */
};

/* Walks the unit's tree once. `unit` is its own DIE, or that of the split unit that it stands for. False: out
 * of memory. */
bool unit_scopes_build(struct unit_scopes *self, Dwarf_Die *unit);

/* The innermost scope at `address`, or UNIT_SCOPE_NONE. A parent is always less than its child. */
uint32_t unit_scopes_find(const struct unit_scopes *self, uint64_t address);

void unit_scopes_clear(struct unit_scopes *self);

#endif
