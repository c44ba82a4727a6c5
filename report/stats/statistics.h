/* statistics.h - tracemalloc's Snapshot.statistics().
 *
 * Sizes and counts of traces, grouped by a key, in tracemalloc's order: by size, count and traceback,
 * descending. */
#ifndef HEAPTALLY_REPORT_STATISTICS_H
#define HEAPTALLY_REPORT_STATISTICS_H

#include "filter.h"
#include "traces.h"

enum key {
    KEY_LINENO,    /* file and line; module and offset where the line is not known */
    KEY_FILENAME,  /* file; module where it is not known */
    KEY_FUNCTION,  /* function and file; module and offset where the function is not known */
    KEY_MODULE,    /* the ELF file of the newest frame */
    KEY_TRACEBACK, /* the whole stack */
};

struct query {
    enum key key;
    enum metric metric;
    bool cumulative; /* every frame of a stack counts, once per group; not with KEY_TRACEBACK */
    struct blame blame;
    const struct filter *filters; /* all must accept a trace */
    size_t filter_count;
};

struct statistic {
    const frame_id *frames; /* what the group is, newest first; one frame unless the key is KEY_TRACEBACK */
    size_t frame_count;
    frame_id sample; /* a frame of the group as it was before grouping, for its function and module */
    int64_t size, count;
    int64_t size_diff, count_diff; /* of a comparison; else 0 */
};

struct statistics {
    struct statistic *rows; /* owned, sorted */
    size_t count;
    int64_t size_total, count_total; /* over traces: with `cumulative`, less than the sum of the rows */
    struct interner *groups;         /* owned: the rows' frames */
};

/* Groups. Traces without blocks (size and count 0) make no rows. The result must be freed. */
bool statistics_of(struct traces *traces, const struct query *query, struct statistics *result,
                   struct error *error);

/* Python's order of two rows' tracebacks: frame by frame, oldest first. */
int statistics_compare_tracebacks(const struct frames *frames, const struct statistic *a,
                                  const struct statistic *b);

void statistics_free(struct statistics *self);

#endif
