/* model.h - what tables say, in numbers: one row per distinct stack, and totals.
 *
 * The cells of a stack are summed, and ids with the same hash and context are the same stack. By thread,
 * there is one row for each stack and thread slot instead: what the slot's threads allocated less what they
 * freed, of whichever thread's blocks. Only the sum over slots is then never negative. By cell, there is one
 * row for each.
 *
 * Of a sampled process all measures are estimates. */
#ifndef HEAPTALLY_REPORT_MODEL_H
#define HEAPTALLY_REPORT_MODEL_H

#include "details.h"
#include "tables.h"
#include "variances.h"

struct measures {
    int64_t live_bytes, live_blocks;
    int64_t peak_bytes, peak_blocks; /* live at the global maximum */
    uint64_t allocated_bytes, allocations;
    uint64_t freed_bytes, frees;
};

struct model_stack {
    uint64_t hash_lo, hash_hi;
    uint32_t stack;   /* an id of it in the tables */
    uint32_t slot;    /* an index in SLOTS, not verified; 0 unless by thread */
    uint32_t context; /* tables_context */
    struct measures measures;
    struct variances *variances; /* of a sampled process; else null: the measures are exact */
    struct ht_detail *details;   /* of one with details; else null */
};

struct model {
    const struct tables *tables; /* borrowed */
    struct model_stack *stacks;
    size_t stack_count;
    struct measures totals;
    struct variances total_variances;
    struct variances *variances; /* owned, one a cell; null: exact */
    struct ht_detail *details;   /* owned, one a cell; null: there are none */
    struct ht_detail total_details;
    uint64_t now_ns;   /* of details: when the source was taken, or its last event, since their epoch */
    size_t cell_count; /* in use */
    bool peak_is_now;  /* no free has followed the maximum */
    uint64_t peak_bound_bytes; /* the true maximum is within this of totals.peak_bytes; 0: exact */
    int64_t live_low_bytes, live_high_bytes; /* of a running process: where live was meanwhile */
};

/* Returns a model of checked tables, which must outlive it; null when out of memory. */
struct model *model_new(const struct tables *tables, struct error *error);

enum model_rows { MODEL_BY_STACK, MODEL_BY_THREAD, MODEL_BY_CELL };
struct model *model_new_rows(const struct tables *tables, enum model_rows rows, struct error *error);
void model_free(struct model *self);

#endif
