/* annotate.h - a source file with what each of its lines holds, as memory_profiler prints one.
 *
 *     /src/tree.c
 *       LINE     LIVE     PEAK  ALLOCATIONS  FREES  SOURCE
 *         40                                        static struct node *grow(void) {
 *         41  8388608  9437184       300000 200000      struct node *node = malloc(sizeof *node);
 *      TOTAL  8388608  9437184       300000 200000
 *
 * With details the columns TEMPORARY, REALLOCS and WASTE follow. Sizes are bytes, so that they add up. Lines
 * that allocate nothing have blanks instead of numbers. Of a file that cannot be read here, only lines with
 * numbers are printed. */
#ifndef HEAPTALLY_REPORT_ANNOTATE_H
#define HEAPTALLY_REPORT_ANNOTATE_H

#include "view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct annotated_line {
    uint32_t line;
    int64_t live, peak; /* bytes */
    int64_t allocations, frees;
    int64_t temporaries, reallocs, waste; /* blocks, blocks, live bytes; with annotation.details */
    struct {
        double live, peak, allocations, frees;
    } variances; /* of estimates */
};

struct annotation {
    const char *file;
    const char *function;               /* that was asked for; null: all of the file */
    const struct annotated_line *lines; /* each once, in their order */
    size_t count;
    uint32_t first, last;              /* which part of the file; last 0: to its end */
    bool details;                      /* three columns more */
    struct view_suppressed suppressed; /* of all files, and live */
    uint64_t sample_bytes;             /* 0: exact; else the figures are estimates, see estimate.h */
};

/* The sums of the columns. */
struct annotated_line annotation_sum(const struct annotation *annotation);

void annotate_render(FILE *out, const struct annotation *annotation);

#endif
