/* text.c - see text.h.
 * Owns:    a cache of source files while it renders.
 * Threads: one.  Signals: no.  Heap: yes. */
#include "text.h"
#include "estimate.h"
#include "harmless.h"
#include "histogram.h"
#include "source_line.h"
#include "suppressed.h"
#include "units.h"

#include <inttypes.h>
#include <string.h>

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static const char *module_of(const struct view_frame *frame) {
    return frame->module != NULL ? frame->module : "[unknown]";
}

/* ---- the place ---- */

/* The first digits of a build-id, as tools print them. */
#define BUILD_DIGITS 8

static void put_offset(FILE *out, const struct view_frame *frame) {
    harmless_put(out, last_part(module_of(frame)));
    if (frame->has_offset)
        fprintf(out, "+0x%" PRIx64, frame->offset);
    if (frame->rebuilt)
        fprintf(out, " of build %.*s", BUILD_DIGITS, frame->build);
}

static void put_line(FILE *out, const struct view_frame *frame) {
    if (frame->file != NULL) {
        harmless_put(out, frame->file);
        fprintf(out, ":%" PRIu32, frame->line);
        return;
    }
    put_offset(out, frame);
    if (frame->function != NULL) {
        fputs(" in ", out);
        harmless_put(out, frame->function);
    }
}

static void put_file(FILE *out, const struct view_frame *frame) {
    const char *name = frame->file != NULL ? frame->file : module_of(frame);
    harmless_put(out, name);
    if (frame->file != NULL || name[0] != '[')
        fputs(":0", out);
}

static void put_function(FILE *out, const struct view_frame *frame) {
    if (frame->function == NULL) {
        put_line(out, frame);
        return;
    }
    harmless_put(out, frame->function);
    fputs(" (", out);
    harmless_put(out, frame->file != NULL ? frame->file : last_part(module_of(frame)));
    fputc(')', out);
}

static void put_thread(FILE *out, uint64_t thread) {
    if (thread != 0)
        fprintf(out, "thread %" PRIu64, thread);
    else
        fputs("thread [unknown]", out);
}

static void put_size_class(FILE *out, uint64_t smallest) {
    if (smallest < 2)
        fprintf(out, "average %" PRIu64 " B", smallest);
    else
        fprintf(out, "average %" PRIu64 " to %" PRIu64 " B", smallest, smallest + (smallest - 1));
}

/* tracemalloc's Traceback.__str__() is its first frame, since 3.7 the oldest. */
static void put_stack(FILE *out, const struct view_row *row, bool python) {
    put_line(out, &row->frames[python ? row->frame_count - 1 : 0]);
}

static void put_domain(FILE *out, const struct view *view, uint64_t number) {
    const char *name = view->python ? NULL : view_domain_name(view, number);
    if (name == NULL) {
        fprintf(out, "domain %" PRIu64, number);
        return;
    }
    fputs("domain ", out);
    harmless_put(out, name);
}

static void put_name(FILE *out, const char *what, const char *name) {
    fprintf(out, name != NULL ? "%s " : "no %s", what);
    if (name != NULL)
        harmless_put(out, name);
}

static void put_key(FILE *out, enum view_key key, const struct view *view, const struct view_row *row) {
    switch (key) {
    case VIEW_FILENAME: put_file(out, &row->place); break;
    case VIEW_FUNCTION: put_function(out, &row->place); break;
    case VIEW_MODULE: harmless_put(out, module_of(&row->place)); break;
    case VIEW_TRACEBACK: put_stack(out, row, view->python); break;
    case VIEW_THREAD: put_thread(out, row->numbers[key]); break;
    case VIEW_DOMAIN: put_domain(out, view, row->numbers[key]); break;
    case VIEW_FREEING_THREAD:
        fputs("freed by ", out);
        put_thread(out, row->numbers[key]);
        break;
    case VIEW_KIND: fprintf(out, "kind %s", row->kind); break;
    case VIEW_SCOPE: put_name(out, "scope", row->scope); break;
    case VIEW_TAG: put_name(out, "tag", row->tag); break;
    case VIEW_SIZE: put_size_class(out, row->numbers[key]); break;
    default: put_line(out, &row->place); break;
    }
}

static void put_place(FILE *out, const struct view *view, const struct view_row *row) {
    for (const enum view_key *key = view->keys; *key != VIEW_END; key++) {
        if (key != view->keys)
            fputs(", ", out);
        put_key(out, *key, view, row);
    }
}

/* ---- rows ---- */

static const char *size_error(bool known, double error, char *text) {
    return known ? estimate_size(error, text) : "";
}

static const char *count_error(bool known, double error, char *text) {
    return known ? estimate_count(error, text) : "";
}

static void put_numbers(FILE *out, const struct view *view, const struct view_row *row) {
    char size[UNITS_BYTES], error[ESTIMATE_BYTES];
    bool estimate = view_is_estimate(view), of_diff = view_has_diff_errors(view);
    fprintf(out, ": size=%s%s", units_size((double)row->size, false, size),
            size_error(estimate, row->size_error, error));
    if (view->difference)
        fprintf(out, " (%s%s)", units_size((double)row->size_diff, true, size),
                size_error(of_diff, row->size_diff_error, error));
    fprintf(out, ", count=%" PRId64 "%s", row->count, count_error(estimate, row->count_error, error));
    if (view->difference)
        fprintf(out, " (%+" PRId64 "%s)", row->count_diff,
                count_error(of_diff, row->count_diff_error, error));
    if (row->count != 0)
        fprintf(out, ", average=%s", units_size((double)row->size / (double)row->count, false, size));
    if (view->details && strcmp(view->metric, "reallocs") == 0)
        fprintf(out, ", moved=%" PRIu64 ", copied=%s", row->details.moves,
                units_size((double)row->details.moved_bytes, false, size));
    fputc('\n', out);
}

static void put_source(FILE *out, struct source_lines *sources, const struct view_frame *frame) {
    size_t length;
    const char *line =
        frame->file != NULL ? source_lines_get(sources, frame->file, frame->line, &length) : NULL;
    if (line == NULL)
        return;
    fputs("    ", out);
    harmless_write(out, line, length);
    fputc('\n', out);
}

/* As tracemalloc's Traceback.format(), with the function behind. */
static void put_frame(FILE *out, struct source_lines *sources, const struct view_frame *frame, bool python) {
    fputs("  File \"", out);
    harmless_put(out, frame->file != NULL ? frame->file : module_of(frame));
    if (frame->file != NULL)
        fprintf(out, "\", line %" PRIu32, frame->line);
    else if (frame->has_offset)
        fprintf(out, "\", offset 0x%" PRIx64, frame->offset);
    else
        fputc('"', out);
    if (frame->function != NULL && !python) {
        fputs(", in ", out);
        harmless_put(out, frame->function);
    }
    fputc('\n', out);
    put_source(out, sources, frame);
}

struct slice {
    size_t first, end; /* the oldest frame is 0 */
};

/* Which frames of `count` to show. tracemalloc's documentation says that a negative limit asks for so many of
 * the oldest frames; its code leaves so many of the newest out. */
static struct slice cut(const struct view *view, size_t count) {
    uint64_t limit = view->limit < 0 ? 0 - (uint64_t)view->limit : (uint64_t)view->limit;
    size_t some = limit < count ? (size_t)limit : count;
    if (view->limit > 0)
        return (struct slice){count - some, count};
    if (view->python)
        return (struct slice){0, view->limit != 0 ? count - some : 0};
    return (struct slice){0, some};
}

static void put_frames(FILE *out, struct source_lines *sources, const struct view *view,
                       const struct view_row *row) {
    struct slice slice = cut(view, row->frame_count);
    for (size_t i = slice.first; i < slice.end; i++) {
        size_t oldest_first = view->most_recent_first ? slice.end - 1 - (i - slice.first) : i;
        put_frame(out, sources, &row->frames[row->frame_count - 1 - oldest_first], view->python);
    }
}

static void put_row(FILE *out, struct source_lines *sources, const struct view *view,
                    const struct view_row *row) {
    put_place(out, view, row);
    put_numbers(out, view, row);
    if (view->bare)
        return;
    if (view_has_key(view->keys, VIEW_LINENO))
        put_source(out, sources, &row->place);
    if (view_has_key(view->keys, VIEW_TRACEBACK))
        put_frames(out, sources, view, row);
    if (row->histogram != NULL)
        histogram_put(out, row->histogram, "this row");
}

/* ---- around them ---- */

/* What a metric is called above and below its rows; the first is of those that are not here. */
struct words {
    const char *metric, *heading, *total;
};

static const struct words *words_of(const char *metric) {
    static const struct words all[] = {
        {"live", "", "Total allocated size"},
        {"peak", " at the peak", "Total allocated size"},
        {"total", " of all ever allocated", "Total allocated size"},
        {"count", ", by count", "Total allocated size"},
        {"freed", " of all ever freed", "Total freed size"},
        {"temporary", " of temporary blocks, by count", "Total temporary size"},
        {"reallocs", " of reallocs, by count", "Total reallocated size"},
        {"waste", " of waste", "Total wasted size"},
        {"peak-waste", " of waste at the peak", "Total wasted size"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i].metric, metric) == 0)
            return &all[i];
    return &all[0];
}

static void put_heading(FILE *out, const struct view *view) {
    const char *when = words_of(view->metric)->heading;
    fprintf(out, "[ Top %zu%s%s%s ]\n", view->asked != 0 ? view->asked : view->row_count,
            view->growth       ? " that grew"
            : view->difference ? " differences"
                               : "",
            when, view->cumulative ? ", cumulative" : "");
    if (view_has_diff_errors(view))
        estimate_put_difference_line(out, view->old_totals.sample_bytes, view->totals.sample_bytes);
    else if (view_is_estimate(view))
        estimate_put_line(out, view->totals.sample_bytes);
}

/* A sum over rows, in KiB, with its difference. */
struct sum {
    int64_t size, diff;
    double error, diff_error;
};

static void put_kib(FILE *out, const struct view *view, const char *name, struct sum sum) {
    fprintf(out, "%s: %.1f KiB", name, (double)sum.size / 1024);
    if (view_is_estimate(view))
        fprintf(out, " +-%.1f KiB", sum.error / 1024);
    if (view->difference)
        fprintf(out, " (%+.1f KiB", (double)sum.diff / 1024);
    if (view_has_diff_errors(view))
        fprintf(out, " +-%.1f KiB", sum.diff_error / 1024);
    if (view->difference)
        fputc(')', out);
}

static void put_suppressed(FILE *out, const struct view *view) {
    char error[ESTIMATE_BYTES];
    const struct view_suppressed *suppressed = &view->suppressed;
    put_kib(out, view, "Suppressed",
            (struct sum){suppressed->size, suppressed->size_diff, suppressed->size_error,
                         suppressed->size_diff_error});
    fprintf(out, " in %" PRId64 "%s blocks\n", suppressed->count,
            count_error(view_is_estimate(view), suppressed->count_error, error));
    suppressed_put_lines(out, suppressed);
}

static void put_sums(FILE *out, const struct view *view) {
    char other[48];
    snprintf(other, sizeof other, "%zu other", view->other_count);
    if (view->other_count != 0) {
        put_kib(out, view, other,
                (struct sum){view->other_size, view->other_size_diff, view->other_size_error,
                             view->other_size_diff_error});
        fputc('\n', out);
    }
    put_kib(out, view, words_of(view->metric)->total,
            (struct sum){view->total_size, view->total_size_diff, view->total_size_error,
                         view->total_size_diff_error});
    if (view->of_counts)
        fprintf(out, " in %" PRId64 " blocks", view->total_count);
    fputc('\n', out);
}

static void put_ending(FILE *out, const struct view *view) {
    put_sums(out, view);
    if (view->histogram.kind != VIEW_NO_HISTOGRAM)
        histogram_put(out, &view->histogram, "all rows");
    if (view->suppressed.any)
        put_suppressed(out, view);
    for (size_t i = 0; i < view->loss_count; i++)
        if (view->losses[i].value != 0)
            fprintf(out, "Lost: %s: %" PRIu64 ": %s\n", view->losses[i].name, view->losses[i].value,
                    view->losses[i].meaning);
}

void text_render(FILE *out, const struct view *view) {
    struct source_lines *sources = view->bare ? NULL : source_lines_new();
    if (!view->bare)
        put_heading(out, view);
    for (size_t i = 0; i < view->row_count; i++)
        put_row(out, sources, view, &view->rows[i]);
    if (!view->bare)
        put_ending(out, view);
    source_lines_free(sources);
}
