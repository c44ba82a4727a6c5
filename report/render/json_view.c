/* json_view.c - see json_view.h.
 * Owns:    nothing.
 * Threads: any, one per stream.  Signals: no.  Heap: no (but stdio's). */
#include "json_view.h"
#include "histogram.h"
#include "suppressed.h"

#include <stdio.h>
#include <string.h>

static const char *const key_names[VIEW_KEYS] = {
    [VIEW_LINENO] = "lineno",       [VIEW_FILENAME] = "filename", [VIEW_FUNCTION] = "function",
    [VIEW_MODULE] = "module",       [VIEW_THREAD] = "thread",     [VIEW_DOMAIN] = "domain",
    [VIEW_TRACEBACK] = "traceback", [VIEW_SIZE] = "size",         [VIEW_FREEING_THREAD] = "freeing-thread",
    [VIEW_KIND] = "kind",           [VIEW_SCOPE] = "scope",       [VIEW_TAG] = "tag",
};

/* All names with commas between, as -k takes them. */
static void put_keys(struct json *json, const enum view_key *keys) {
    char names[VIEW_KEYS * 16] = "";
    for (size_t i = 0; keys[i] != VIEW_END; i++) {
        size_t length = strlen(names);
        snprintf(names + length, sizeof names - length, "%s%s", i != 0 ? "," : "", key_names[keys[i]]);
    }
    json_put_string(json, "key", names);
}

static void put_domain(struct json *json, const struct view *view, uint64_t number) {
    const char *name = view_domain_name(view, number);
    json_put_unsigned(json, "domain", number);
    if (name != NULL)
        json_put_string(json, "domain_name", name);
}

static void put_key_numbers(struct json *json, const struct view *view, const struct view_row *row) {
    const enum view_key *keys = view->keys;
    if (view_has_key(keys, VIEW_THREAD))
        json_put_unsigned(json, "thread", row->numbers[VIEW_THREAD]);
    if (view_has_key(keys, VIEW_FREEING_THREAD))
        json_put_unsigned(json, "freeing_thread", row->numbers[VIEW_FREEING_THREAD]);
    if (view_has_key(keys, VIEW_DOMAIN))
        put_domain(json, view, row->numbers[VIEW_DOMAIN]);
    if (view_has_key(keys, VIEW_SIZE))
        json_put_unsigned(json, "size_class", row->numbers[VIEW_SIZE]);
    if (view_has_key(keys, VIEW_KIND))
        json_put_string(json, "kind", row->kind);
    if (view_has_key(keys, VIEW_SCOPE))
        json_put_string(json, "scope", row->scope);
    if (view_has_key(keys, VIEW_TAG))
        json_put_string(json, "tag", row->tag);
}

static void put_total_errors(struct json *json, const struct view_totals *totals) {
    json_put_real(json, "live_bytes_error", totals->errors.live_bytes);
    json_put_real(json, "live_blocks_error", totals->errors.live_blocks);
    json_put_real(json, "peak_bytes_error", totals->errors.peak_bytes);
    json_put_real(json, "peak_blocks_error", totals->errors.peak_blocks);
    json_put_real(json, "allocated_bytes_error", totals->errors.allocated_bytes);
    json_put_real(json, "allocations_error", totals->errors.allocations);
    json_put_real(json, "frees_error", totals->errors.frees);
}

void json_view_totals(struct json *json, const char *name, const struct view_totals *totals) {
    json_open(json, name, '{');
    json_put_signed(json, "live_bytes", totals->live_bytes);
    json_put_signed(json, "live_blocks", totals->live_blocks);
    json_put_signed(json, "peak_bytes", totals->peak_bytes);
    json_put_signed(json, "peak_blocks", totals->peak_blocks);
    json_put_unsigned(json, "allocated_bytes", totals->allocated_bytes);
    json_put_unsigned(json, "allocations", totals->allocations);
    json_put_unsigned(json, "frees", totals->frees);
    if (totals->sample_bytes != 0)
        put_total_errors(json, totals);
    json_close(json, '}');
}

void json_view_losses(struct json *json, const struct view_loss *losses, size_t count) {
    json_open(json, "losses", '{');
    for (size_t i = 0; i < count; i++)
        json_put_unsigned(json, losses[i].name, losses[i].value);
    json_close(json, '}');
}

static void put_frame(struct json *json, const struct view_frame *frame) {
    json_put_string(json, "file", frame->file);
    if (frame->file != NULL && frame->line != 0)
        json_put_unsigned(json, "line", frame->line);
    else
        json_put_null(json, "line");
    json_put_string(json, "function", frame->function);
    json_put_string(json, "module", frame->module);
    if (frame->has_offset)
        json_put_unsigned(json, "offset", frame->offset);
    else
        json_put_null(json, "offset");
    json_put_string(json, "build_id", frame->build);
}

static void put_error(struct json *json, const char *name, bool known, double error) {
    if (known)
        json_put_real(json, name, error);
}

static void put_numbers(struct json *json, const struct view *view, const struct view_row *row) {
    bool estimate = view_is_estimate(view), of_diff = view_has_diff_errors(view);
    json_put_signed(json, "size", row->size);
    put_error(json, "size_error", estimate, row->size_error);
    if (view->difference)
        json_put_signed(json, "size_diff", row->size_diff);
    put_error(json, "size_diff_error", of_diff, row->size_diff_error);
    json_put_signed(json, "count", row->count);
    put_error(json, "count_error", estimate, row->count_error);
    if (view->difference)
        json_put_signed(json, "count_diff", row->count_diff);
    put_error(json, "count_diff_error", of_diff, row->count_diff_error);
    if (row->count != 0)
        json_put_real(json, "average", (double)row->size / (double)row->count);
    else
        json_put_null(json, "average");
}

void json_view_details(struct json *json, const struct view_details *details) {
    json_open(json, "details", '{');
    json_put_unsigned(json, "temporary_blocks", details->temporaries);
    json_put_unsigned(json, "temporary_bytes", details->temporary_bytes);
    json_put_unsigned(json, "reallocs", details->reallocs);
    json_put_unsigned(json, "realloc_bytes", details->realloc_bytes);
    json_put_unsigned(json, "moves", details->moves);
    json_put_unsigned(json, "moved_bytes", details->moved_bytes);
    json_put_unsigned(json, "grown_in_place", details->grown_in_place);
    json_put_unsigned(json, "shrunk_in_place", details->shrunk_in_place);
    json_put_signed(json, "waste_bytes", details->waste_bytes);
    json_put_signed(json, "peak_waste_bytes", details->peak_waste_bytes);
    json_close(json, '}');
}

static void put_row(struct json *json, const struct view *view, const struct view_row *row) {
    json_open(json, NULL, '{');
    put_frame(json, &row->place);
    put_key_numbers(json, view, row);
    put_numbers(json, view, row);
    if (view->details)
        json_view_details(json, &row->details);
    if (row->histogram != NULL)
        histogram_put_json(json, row->histogram);
    json_open(json, "traceback", '[');
    for (size_t i = 0; i < row->frame_count; i++) {
        json_open(json, NULL, '{');
        put_frame(json, &row->frames[i]);
        json_close(json, '}');
    }
    json_close(json, ']');
    json_close(json, '}');
}

static void put_other(struct json *json, const struct view *view) {
    json_open(json, "other", '{');
    json_put_unsigned(json, "rows", view->other_count);
    json_put_signed(json, "size", view->other_size);
    put_error(json, "size_error", view_is_estimate(view), view->other_size_error);
    json_close(json, '}');
}

static void put_rebuilt(struct json *json, const struct view *view) {
    json_open(json, "rebuilt", '[');
    for (size_t i = 0; i < view->rebuilt_count; i++) {
        const struct view_rebuilt *at = &view->rebuilt[i];
        json_open(json, NULL, '{');
        json_put_string(json, "module", at->module);
        json_put_string(json, "build_id", at->build);
        json_put_string(json, "old_module", at->old_module);
        json_put_string(json, "old_build_id", at->old_build);
        json_put_string(json, "compared_by", at->compared_by);
        json_put_string(json, "reason", at->reason);
        json_close(json, '}');
    }
    json_close(json, ']');
}

void json_view_render(FILE *out, const struct view *view) {
    struct json json = {.out = out};
    json_open(&json, NULL, '{');
    put_keys(&json, view->keys);
    json_put_string(&json, "metric", view->metric);
    json_put_bool(&json, "cumulative", view->cumulative);
    if (view_is_estimate(view))
        json_put_unsigned(&json, "sampled_every_bytes", view->totals.sample_bytes);
    if (view_has_diff_errors(view))
        json_put_unsigned(&json, "old_sampled_every_bytes", view->old_totals.sample_bytes);
    json_view_totals(&json, "totals", &view->totals);
    if (view->difference && !view->growth)
        json_view_totals(&json, "old_totals", &view->old_totals);
    json_view_losses(&json, view->losses, view->loss_count);
    if (view->difference)
        put_rebuilt(&json, view);
    json_open(&json, "rows", '[');
    for (size_t i = 0; i < view->row_count; i++)
        put_row(&json, view, &view->rows[i]);
    json_close(&json, ']');
    put_other(&json, view);
    suppressed_put_json(&json, &view->suppressed, view_is_estimate(view));
    if (view->details) {
        json_put_unsigned(&json, "temporary_below", view->temporary_below);
        json_view_details(&json, &view->total_details);
    }
    if (view->histogram.kind != VIEW_NO_HISTOGRAM)
        histogram_put_json(&json, &view->histogram);
    json_close(&json, '}');
}
