/* statistics.h - tracemalloc's Snapshot.statistics().
 *
 * Sizes and counts of traces, grouped by a key, in tracemalloc's order: by size, count and traceback,
 * descending. */
#ifndef HEAPTALLY_REPORT_STATISTICS_H
#define HEAPTALLY_REPORT_STATISTICS_H

#include "filter.h"
#include "suppressions.h"
#include "traces.h"

enum key {
    KEY_END,       /* of a list */
    KEY_LINENO,    /* file and line; module and offset where the line is not known */
    KEY_FILENAME,  /* file; module where it is not known */
    KEY_FUNCTION,  /* function and file; module and offset where the function is not known */
    KEY_MODULE,    /* the ELF file of the newest frame */
    KEY_TRACEBACK, /* the whole stack */
    KEY_THREAD,    /* the thread that allocated, or freed; traces must be by thread */
    KEY_DOMAIN,    /* the domain's number */
    KEY_SIZE,      /* the power of two that is at most the average size of the stack's blocks; what the single
                    * blocks measure is not recorded */
    KEY_FREEING_THREAD, /* the thread that freed; traces must be by thread, the metric METRIC_FREED */
    KEY_KIND,           /* enum kind: by what it was allocated */
    KEY_SCOPE,          /* the open scopes' whole name */
    KEY_TAG,
};
#define KEYS_MAX 12

struct query {
    enum key keys[KEYS_MAX + 1]; /* at least one, each once; KEY_END behind the last */
    enum metric metric;
    bool cumulative;  /* every frame of a stack counts, once per group; not with KEY_TRACEBACK */
    bool every_frame; /* ... but as often as it stands in the stack, as tracemalloc has it */
    struct blame blame;
    struct filters filters;            /* borrowed */
    struct suppressions *suppressions; /* borrowed; null: none. Asked after the filters */
    bool details;                      /* rows and total are to have those of their traces */
};

struct statistic {
    /* What the group is: a frame for each key but KEY_TRACEBACK, in their order (of keys that are numbers,
     * its `offset`; of scopes and tags, its `function`, empty for none), then, with KEY_TRACEBACK, the stack,
     * newest first. */
    const frame_id *frames;
    size_t frame_count;
    frame_id sample; /* a frame of the group as it was before grouping, for its function and module */
    int64_t size, count;
    int64_t size_diff, count_diff; /* of a comparison; else 0 */
    /* Of estimates, else 0. Of the differences they are at most so large: a block that is on both sides adds
     * to both variances, and takes itself away in the difference. */
    double size_variance, count_variance, size_diff_variance, count_diff_variance;
    struct ht_detail *details; /* owned by the statistics; null: not asked for */
};

struct statistics {
    struct statistic *rows; /* owned, sorted */
    size_t count;
    int64_t size_total, count_total; /* over traces: with `cumulative`, less than the sum of the rows */
    double size_total_variance;
    struct amount suppressed;     /* what the filters let pass and the suppressions left out */
    struct amount *suppressed_by; /* owned: by each of the suppressions that there were; null without any */
    size_t suppression_count;
    struct interner *groups;  /* owned: the rows' frames */
    struct ht_detail details; /* over traces, if the query asks for them */
    bool of_counts;           /* ordered by count first */
};

/* Groups. Traces without blocks (size and count 0) make no rows. The result must be freed. */
bool statistics_of(struct traces *traces, const struct query *query, struct statistics *result,
                   struct error *error);

/* How many of a row's frames stand before its stack. */
size_t statistics_parts(const enum key *keys);

/* Whether a key is of frames, and not a number or a name of the whole trace. */
bool key_is_of_frames(enum key key);

/* Python's order of two rows' tracebacks: frame by frame, oldest first. */
int statistics_compare_tracebacks(const struct frames *frames, const struct statistic *a,
                                  const struct statistic *b);

void statistics_free(struct statistics *self);

#endif
