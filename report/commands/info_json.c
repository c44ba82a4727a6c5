/* info_json.c - info for programs, see info_facts.h.
 * Owns:    nothing.
 * Threads: one.  Signals: no.  Heap: no. */
#define _GNU_SOURCE
#include "info_facts.h"
#include "make_histogram.h"
#include "make_view.h"
#include "../render/json_view.h"

#include <string.h>

static void put_command_line(struct json *json, const struct ht_header *header) {
    json_open(json, "command_line", '[');
    for (uint32_t at = 0; at < header->command_line_bytes;) {
        const char *argument = header->command_line + at;
        json_put_string(json, NULL, argument);
        at += (uint32_t)strnlen(argument, header->command_line_bytes - at) + 1;
    }
    json_close(json, ']');
}

static void put_process(struct json *json, const struct ht_header *header) {
    json_open(json, "process", '{');
    json_put_unsigned(json, "pid", header->pid);
    json_put_unsigned(json, "parent_pid", header->parent_pid);
    json_put_unsigned(json, "user_id", header->user_id);
    json_put_string(json, "executable", header->executable);
    json_put_string(json, "working_directory", header->working_directory);
    put_command_line(json, header);
    json_put_unsigned(json, "machine", header->machine);
    json_put_unsigned(json, "started_ns", header->created_realtime_ns);
    json_put_unsigned(json, "nframe", header->nframe);
    json_put_string(json, "unwinder", header->unwinder);
    json_put_unsigned(json, "signal", header->signal);
    json_put_unsigned(json, "exec_index", header->exec_index);
    json_put_unsigned(json, "session", header->session);
    json_close(json, '}');
}

static void put_source(struct json *json, const struct source *source) {
    const struct ht_header *header = &source->tables->header;
    json_open(json, "source", '{');
    json_put_string(json, "path", source->path);
    json_put_string(json, "kind", info_kind(source));
    json_close(json, '}');
    put_process(json, header);
    if (source->kind != SOURCE_SNAPSHOT)
        return;
    json_open(json, "snapshot", '{');
    json_put_unsigned(json, "taken_ns", header->taken_realtime_ns);
    json_put_string(json, "trigger", info_trigger(header->trigger));
    json_put_unsigned(json, "number", header->snapshots);
    json_put_string(json, "label", header->label);
    json_close(json, '}');
}

static void put_totals(struct json *json, const struct info *info) {
    const struct tables *tables = info->source->tables;
    struct view_totals totals = make_view_totals(info->model);
    struct view_loss losses[LOSSES_COUNT];
    json_view_totals(json, "totals", &totals);
    json_view_losses(json, losses, make_view_losses(tables, losses));
    if (tables->running) {
        json_open(json, "live_range", '{');
        json_put_signed(json, "low_bytes", info->model->live_low_bytes);
        json_put_signed(json, "high_bytes", info->model->live_high_bytes);
        json_close(json, '}');
    }
    json_put_unsigned(json, "peak_bound_bytes", info->model->peak_bound_bytes);
    json_open(json, "inherited", '{');
    json_put_unsigned(json, "blocks", tables->header.inherited_blocks);
    json_put_unsigned(json, "bytes", tables->header.inherited_bytes);
    json_close(json, '}');
}

static void put_tables(struct json *json, const struct info *info) {
    const struct tables *tables = info->source->tables;
    struct tables_slot_sums sums = tables_sum_slots(tables);
    json_open(json, "tables", '{');
    json_put_unsigned(json, "stacks", info->model->stack_count);
    json_put_unsigned(json, "cells", info->model->cell_count);
    json_put_unsigned(json, "frames", tables->region[HT_REGION_FRAMES].count);
    json_put_unsigned(json, "pcs", tables->region[HT_REGION_PCS].count);
    json_put_unsigned(json, "modules", tables->region[HT_REGION_MODULES].count);
    json_put_unsigned(json, "threads", sums.threads);
    json_put_unsigned(json, "slots", tables->region[HT_REGION_SLOTS].count);
    json_put_unsigned(json, "committed_bytes", tables->header.committed_bytes);
    json_put_unsigned(json, "private_bytes", tables->header.private_bytes);
    json_put_unsigned(json, "budget_bytes", tables->header.budget_bytes);
    json_close(json, '}');
    json_put_unsigned(json, "truncated_stacks", tables_truncated(tables));
    json_put_unsigned(json, "unmatched_frees", sums.unmatched_frees);
    json_put_unsigned(json, "deferred_events", sums.deferred);
}

static void put_module(struct json *json, const struct info *info, uint32_t id) {
    static const char *const qualities[] = {[SYMBOLS_NONE] = "none",
                                            [SYMBOLS_TABLE] = "table",
                                            [SYMBOLS_DWARF] = "dwarf",
                                            [SYMBOLS_UNOPENED] = "unopened"};
    const struct ht_module *module = tables_module(info->source->tables, id);
    struct symbols_status status = traces_symbols_status(info->traces, id);
    char build_id[2 * HT_BUILD_ID_BYTES + 1];
    info_build_id(module, build_id);
    json_open(json, NULL, '{');
    json_put_string(json, "path", tables_module_path(info->source->tables, id));
    json_put_string(json, "build_id", build_id[0] != '\0' ? build_id : NULL);
    json_put_unsigned(json, "start", module->start);
    json_put_unsigned(json, "end", module->end);
    json_put_bool(json, "unmapped", module->unmapped_ns != 0);
    json_put_string(json, "symbols", qualities[status.quality]);
    json_put_string(json, "reason", status.reason);
    json_close(json, '}');
}

static void put_sampled(struct json *json, const struct tables *tables) {
    struct variances_traced traced = variances_sum_traced(tables);
    json_put_unsigned(json, "sampled_every_bytes", tables->header.sample_bytes);
    if (tables->header.sample_bytes == 0)
        return;
    json_open(json, "sampled", '{');
    json_put_unsigned(json, "allocations", traced.allocations);
    json_put_unsigned(json, "frees", traced.frees);
    json_close(json, '}');
}

void info_print_json(const struct info *info) {
    const struct tables *tables = info->source->tables;
    struct json json = {.out = stdout};
    json_open(&json, NULL, '{');
    put_source(&json, info->source);
    put_totals(&json, info);
    put_tables(&json, info);
    put_sampled(&json, tables);
    json_put_bool(&json, "tracing", tables->header.stopped == 0);
    json_put_unsigned(&json, "clears", tables->header.clears);
    info_put_json_contexts(&json, tables);
    json_put_unsigned(&json, "temporary_below", tables->header.temporary_below);
    if (details_present(tables)) {
        struct view_details details = make_view_details(&info->model->total_details);
        json_view_details(&json, &details);
    }
    info_put_json_verified(&json, tables);
    json_open(&json, "modules", '[');
    for (uint32_t i = 0; i < tables->region[HT_REGION_MODULES].count; i++)
        if (tables_module(tables, i)->valid != 0)
            put_module(&json, info, i);
    json_close(&json, ']');
    json_close(&json, '}');
}
