/* annotate.c - see annotate.h.
 * Owns:    a cache of the file while it renders.
 * Threads: one.  Signals: no.  Heap: yes. */
#include "annotate.h"
#include "estimate.h"
#include "harmless.h"
#include "source_line.h"
#include "suppressed.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define TAB     8
#define COLUMNS 8 /* the last three of details */

static const char *const headings[COLUMNS] = {"LINE",  "LIVE",      "PEAK",     "ALLOCATIONS",
                                              "FREES", "TEMPORARY", "REALLOCS", "WASTE"};

/* The cells of a line, and how wide the columns are. */
struct cells {
    char text[COLUMNS][24 + ESTIMATE_BYTES];
};

struct layout {
    int widths[COLUMNS];
    int columns;
};

static void widen(int *widths, const struct cells *cells) {
    for (int i = 0; i < COLUMNS; i++) {
        int width = (int)strlen(cells->text[i]);
        widths[i] = width > widths[i] ? width : widths[i];
    }
}

/* The first `count` columns. */
static void put_cells(FILE *out, const int *widths, const struct cells *cells, int count) {
    for (int i = 0; i < count; i++)
        fprintf(out, "%s%*s", i != 0 ? "  " : "", widths[i], cells->text[i]);
}

static void fill(struct cells *cells, int column, int64_t value, bool estimate, double variance) {
    char error[ESTIMATE_BYTES] = "";
    if (estimate)
        estimate_count(sqrt(variance > 0 ? variance : 0), error);
    snprintf(cells->text[column], sizeof cells->text[column], "%" PRId64 "%s", value, error);
}

static struct cells cells_of(const struct annotated_line *line, bool estimate) {
    struct cells cells;
    fill(&cells, 0, line->line, false, 0);
    fill(&cells, 1, line->live, estimate, line->variances.live);
    fill(&cells, 2, line->peak, estimate, line->variances.peak);
    fill(&cells, 3, line->allocations, estimate, line->variances.allocations);
    fill(&cells, 4, line->frees, estimate, line->variances.frees);
    fill(&cells, 5, line->temporaries, false, 0);
    fill(&cells, 6, line->reallocs, false, 0);
    fill(&cells, 7, line->waste, false, 0);
    return cells;
}

static struct cells blank(uint32_t line) {
    struct cells cells = {{""}};
    snprintf(cells.text[0], sizeof cells.text[0], "%" PRIu32, line);
    return cells;
}

static struct cells heading(void) {
    struct cells cells;
    for (int i = 0; i < COLUMNS; i++)
        snprintf(cells.text[i], sizeof cells.text[i], "%s", headings[i]);
    return cells;
}

/* Wraps rather than overflow: a damaged file may hold any counter. */
static void add(int64_t *sum, int64_t value) {
    *sum = (int64_t)((uint64_t)*sum + (uint64_t)value);
}

struct annotated_line annotation_sum(const struct annotation *annotation) {
    struct annotated_line sum = {0};
    for (size_t i = 0; i < annotation->count; i++) {
        const struct annotated_line *line = &annotation->lines[i];
        add(&sum.live, line->live);
        add(&sum.peak, line->peak);
        add(&sum.allocations, line->allocations);
        add(&sum.frees, line->frees);
        add(&sum.temporaries, line->temporaries);
        add(&sum.reallocs, line->reallocs);
        add(&sum.waste, line->waste);
        sum.variances.live += line->variances.live;
        sum.variances.peak += line->variances.peak;
        sum.variances.allocations += line->variances.allocations;
        sum.variances.frees += line->variances.frees;
    }
    return sum;
}

static struct cells total(const struct annotation *annotation) {
    struct annotated_line sum = annotation_sum(annotation);
    struct cells cells = cells_of(&sum, annotation->sample_bytes != 0);
    snprintf(cells.text[0], sizeof cells.text[0], "TOTAL");
    return cells;
}

/* A tab is as wide as an editor shows it; what a terminal could take for orders is written as \xNN. */
static void put_text(FILE *out, const char *text, size_t length) {
    size_t column = 0;
    for (size_t at = 0; at < length;) {
        size_t run = 0;
        while (at + run < length && text[at + run] != '\t')
            run++;
        harmless_write(out, text + at, run);
        column += run;
        at += run;
        if (at < length) {
            size_t spaces = TAB - column % TAB;
            fprintf(out, "%*s", (int)spaces, "");
            column += spaces;
            at++;
        }
    }
}

static void put_line(FILE *out, const struct layout *layout, const struct cells *cells,
                     struct source_lines *sources, const char *file, uint32_t line) {
    size_t length = 0;
    const char *text = source_lines_whole(sources, file, line, &length);
    put_cells(out, layout->widths, cells, length != 0 || cells->text[1][0] != '\0' ? layout->columns : 1);
    if (length != 0) {
        fputs("  ", out);
        put_text(out, text, length);
    }
    fputc('\n', out);
}

/* Lines without numbers up to `end`, which is not printed. */
static void put_blanks(FILE *out, const struct layout *layout, struct source_lines *sources, const char *file,
                       uint32_t from, uint32_t end) {
    for (uint32_t line = from; line < end; line++) {
        struct cells cells = blank(line);
        put_line(out, layout, &cells, sources, file, line);
    }
}

static void put_lines(FILE *out, const struct layout *layout, struct source_lines *sources,
                      const struct annotation *annotation) {
    uint32_t count = source_lines_count(sources, annotation->file);
    uint32_t end = annotation->last != 0 && annotation->last < count ? annotation->last + 1 : count + 1;
    uint32_t next = annotation->first != 0 ? annotation->first : 1;
    for (size_t i = 0; i < annotation->count; i++) {
        const struct annotated_line *line = &annotation->lines[i];
        struct cells cells = cells_of(line, annotation->sample_bytes != 0);
        put_blanks(out, layout, sources, annotation->file, next, line->line < end ? line->line : end);
        put_line(out, layout, &cells, sources, annotation->file, line->line);
        next = line->line < UINT32_MAX ? line->line + 1 : line->line; /* no file has so many */
    }
    put_blanks(out, layout, sources, annotation->file, next, end);
}

static void put_suppressed(FILE *out, const struct annotation *annotation) {
    char blocks[ESTIMATE_BYTES] = "";
    const struct view_suppressed *suppressed = &annotation->suppressed;
    fprintf(out, "Suppressed, in all files: %.1f KiB", (double)suppressed->size / 1024);
    if (annotation->sample_bytes != 0) {
        fprintf(out, " +-%.1f KiB", suppressed->size_error / 1024);
        estimate_count(suppressed->count_error, blocks);
    }
    fprintf(out, " in %" PRId64 "%s blocks\n", suppressed->count, blocks);
    suppressed_put_lines(out, suppressed);
}

void annotate_render(FILE *out, const struct annotation *annotation) {
    struct source_lines *sources = source_lines_new();
    struct cells first = heading(), last = total(annotation);
    struct layout layout = {.columns = annotation->details ? COLUMNS : COLUMNS - 3};
    widen(layout.widths, &first);
    widen(layout.widths, &last);
    for (size_t i = 0; i < annotation->count; i++) {
        struct cells cells = cells_of(&annotation->lines[i], annotation->sample_bytes != 0);
        widen(layout.widths, &cells);
    }
    harmless_put(out, annotation->file);
    fputc('\n', out);
    if (annotation->sample_bytes != 0)
        estimate_put_line(out, annotation->sample_bytes);
    put_cells(out, layout.widths, &first, layout.columns);
    fputs("  SOURCE\n", out);
    put_lines(out, &layout, sources, annotation);
    put_cells(out, layout.widths, &last, layout.columns);
    fputc('\n', out);
    if (annotation->suppressed.any)
        put_suppressed(out, annotation);
    source_lines_free(sources);
}
