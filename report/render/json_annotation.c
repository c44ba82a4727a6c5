/* json_annotation.c - see json_annotation.h.
 * Owns:    a cache of the file while it renders.
 * Threads: one.  Signals: no.  Heap: yes. */
#include "json_annotation.h"
#include "json.h"
#include "source_line.h"
#include "suppressed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double error_of(double variance) {
    return sqrt(variance > 0 ? variance : 0);
}

static void put_figures(struct json *json, const struct annotated_line *line,
                        const struct annotation *annotation) {
    json_put_signed(json, "live_bytes", line->live);
    json_put_signed(json, "peak_bytes", line->peak);
    json_put_signed(json, "allocations", line->allocations);
    json_put_signed(json, "frees", line->frees);
    if (annotation->details) {
        json_put_signed(json, "temporary_blocks", line->temporaries);
        json_put_signed(json, "reallocs", line->reallocs);
        json_put_signed(json, "waste_bytes", line->waste);
    }
    if (annotation->sample_bytes == 0)
        return;
    json_put_real(json, "live_bytes_error", error_of(line->variances.live));
    json_put_real(json, "peak_bytes_error", error_of(line->variances.peak));
    json_put_real(json, "allocations_error", error_of(line->variances.allocations));
    json_put_real(json, "frees_error", error_of(line->variances.frees));
}

static void put_source(struct json *json, struct source_lines *sources, const char *file, uint32_t line) {
    size_t length = 0;
    const char *text = source_lines_whole(sources, file, line, &length);
    char *copy = text != NULL ? strndup(text, length) : NULL;
    json_put_string(json, "source", copy);
    free(copy);
}

static void put_lines(struct json *json, const struct annotation *annotation) {
    struct source_lines *sources = source_lines_new();
    json_open(json, "lines", '[');
    for (size_t i = 0; i < annotation->count; i++) {
        const struct annotated_line *line = &annotation->lines[i];
        json_open(json, NULL, '{');
        json_put_unsigned(json, "line", line->line);
        put_figures(json, line, annotation);
        put_source(json, sources, annotation->file, line->line);
        json_close(json, '}');
    }
    json_close(json, ']');
    source_lines_free(sources);
}

void json_annotation_render(FILE *out, const struct annotation *annotation) {
    struct json json = {.out = out};
    struct annotated_line sum = annotation_sum(annotation);
    json_open(&json, NULL, '{');
    json_put_string(&json, "file", annotation->file);
    json_put_string(&json, "function", annotation->function);
    if (annotation->sample_bytes != 0)
        json_put_unsigned(&json, "sampled_every_bytes", annotation->sample_bytes);
    put_lines(&json, annotation);
    json_open(&json, "totals", '{');
    put_figures(&json, &sum, annotation);
    json_close(&json, '}');
    suppressed_put_json(&json, &annotation->suppressed, annotation->sample_bytes != 0);
    json_close(&json, '}');
}
