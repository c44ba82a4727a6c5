/* traces.h - one loaded snapshot as tracemalloc sees one: traces, each a stack with its sizes and counts.
 *
 * A trace here stands for all blocks of one stack, where tracemalloc has one trace per block. This is the
 * interface that statistics, comparison and filters are written against:
 *
 *     source_open -> model_new -> traces_new     load
 *     struct filters, in a struct query          filter
 *     statistics_of                              statistics
 *     statistics_compare                         compare */
#ifndef HEAPTALLY_REPORT_TRACES_H
#define HEAPTALLY_REPORT_TRACES_H

#include "blame.h"
#include "builds.h"
#include "frames.h"
#include "kind.h"
#include "../source/error.h"
#include "../source/model.h"
#include "../symbols/symbols.h"

enum metric {
    METRIC_LIVE,  /* blocks that are allocated now */
    METRIC_PEAK,  /* blocks that were at the moment of the largest live size */
    METRIC_TOTAL, /* all blocks ever allocated */
    METRIC_COUNT, /* as METRIC_LIVE, ordered by the number of blocks */
    METRIC_FREED, /* all blocks ever freed; by thread: of those that freed them */
    /* what follows takes details */
    METRIC_TEMPORARY,  /* freed before the next few allocations of their thread; ordered by count */
    METRIC_REALLOCS,   /* allocated by a realloc of another block; ordered by count */
    METRIC_WASTE,      /* live blocks, and bytes that they have beyond what was asked for */
    METRIC_PEAK_WASTE, /* the same at the moment of the largest live size */
};

/* Whether a metric takes details, and whether rows are ordered by count. */
static inline bool metric_takes_details(enum metric metric) {
    return metric >= METRIC_TEMPORARY;
}

static inline bool metric_is_of_counts(enum metric metric) {
    return metric == METRIC_COUNT || metric == METRIC_TEMPORARY || metric == METRIC_REALLOCS;
}

/* What is added up in rows. Of a sampled process size and count are estimates, which have variances. */
struct amount {
    int64_t size, count;
    double size_variance, count_variance; /* 0: exact; negative in a thread that frees the blocks of others */
};

struct traces;

/* Returns the traces of a model. Borrows all three; they must outlive it. */
struct traces *traces_new(const struct model *model, struct symbols *symbols, struct frames *frames,
                          struct error *error);
void traces_free(struct traces *self);

/* Makes frames comparable with those of other sources; see builds.h. False when out of memory. */
bool traces_use_builds(struct traces *self, const struct builds *builds);

size_t traces_count(const struct traces *self);
struct amount traces_amount(const struct traces *self, size_t trace, enum metric metric);

/* What was counted of a trace beside; null without details. */
const struct ht_detail *traces_details(const struct traces *self, size_t trace);
uint32_t traces_domain(const struct traces *self, size_t trace);
/* "heap" for HT_DOMAIN_HEAP; empty: it has none. */
const char *traces_domain_name(const struct traces *self, size_t trace);
/* The open scopes, outermost first, joined by '/'; empty: none was. */
const char *traces_scope(const struct traces *self, size_t trace);
/* Empty: it has none. */
const char *traces_tag(const struct traces *self, size_t trace);

/* The thread that had the slot last, 0 when not known; of a model by thread. */
uint32_t traces_thread(const struct traces *self, size_t trace);
struct frames *traces_frame_table(const struct traces *self);

/* All frames of a trace, inlined ones included and the tracer's own left out, newest first, at least one. The
 * array lives until the next call. False when out of memory. */
bool traces_frames(struct traces *self, size_t trace, const frame_id **ids, size_t *count);

/* The newest frame, or the newest that `blame` does not pass over. Looks up no more PCs than that takes. */
bool traces_blamed(struct traces *self, size_t trace, const struct blame *blame, frame_id *id);

/* By what the blocks of a trace were allocated. False when out of memory. */
bool traces_kind(struct traces *self, size_t trace, enum kind *kind);

/* The module of the newest frame, as a frame of its own. Needs no symbols. */
bool traces_module(struct traces *self, size_t trace, frame_id *id);

/* The id by which the symboliser knows module `id` of the tables. */
size_t traces_symbols_module(const struct traces *self, uint32_t id);

/* What was found of a module's symbols; for `heaptally info`. */
struct symbols_status traces_symbols_status(struct traces *self, uint32_t module);

#endif
