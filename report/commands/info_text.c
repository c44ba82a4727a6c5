/* info_text.c - info for people, see info_facts.h.
 * Owns:    nothing.
 * Threads: one.  Signals: no.  Heap: no. */
#define _GNU_SOURCE
#include "info_facts.h"
#include "make_view.h"
#include "../render/estimate.h"
#include "../render/harmless.h"
#include "../render/units.h"
#include "../source/losses.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const char *info_trigger(uint32_t trigger) {
    static const char *const names[] = {"none", "exit", "signal", "api", "outside", "image"};
    return trigger < sizeof names / sizeof *names ? names[trigger] : "unknown";
}

const char *info_kind(const struct source *source) {
    static const char *const names[] = {
        [SOURCE_SNAPSHOT] = "snapshot", [SOURCE_RUNNING] = "running", [SOURCE_DEAD] = "dead"};
    return names[source->kind];
}

void info_build_id(const struct ht_module *module, char text[2 * HT_BUILD_ID_BYTES + 1]) {
    size_t bytes = module->build_id_bytes <= HT_BUILD_ID_BYTES ? module->build_id_bytes : 0;
    text[0] = '\0';
    for (size_t i = 0; i < bytes; i++)
        snprintf(text + 2 * i, 3, "%02x", module->build_id[i]);
}

static void put(const char *name, const char *value) {
    printf("%-16s ", name);
    harmless_put(stdout, value);
    putchar('\n');
}

static void put_count(const char *name, uint64_t value, const char *what) {
    printf("%-16s %" PRIu64 "%s\n", name, value, what);
}

static void put_time(const char *name, uint64_t realtime_ns) {
    time_t seconds = (time_t)(realtime_ns / 1000000000u);
    struct tm broken;
    char text[64];
    if (realtime_ns != 0 && localtime_r(&seconds, &broken) != NULL &&
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %z", &broken) != 0)
        put(name, text);
}

static void put_command_line(const struct ht_header *header) {
    printf("%-16s", "command");
    for (uint32_t at = 0; at < header->command_line_bytes;) {
        size_t length = strnlen(header->command_line + at, header->command_line_bytes - at);
        putchar(' ');
        harmless_write(stdout, header->command_line + at, length);
        at += (uint32_t)length + 1;
    }
    putchar('\n');
}

static void put_process(const struct info *info) {
    const struct ht_header *header = &info->source->tables->header;
    put("source", info->source->path);
    put("kind", info_kind(info->source));
    put_command_line(header);
    put("executable", header->executable);
    put("directory", header->working_directory);
    put_count("pid", header->pid, "");
    put_time("started", header->created_realtime_ns);
    put_count("frames kept", header->nframe, " at most, the newest");
    put("unwinder", header->unwinder);
    if (header->exec_index != 0)
        put_count("programs before", header->exec_index, " in this process (exec)");
    if (info->source->kind != SOURCE_SNAPSHOT)
        return;
    put_time("taken", header->taken_realtime_ns);
    put("trigger", info_trigger(header->trigger));
    put_count("number", header->snapshots, "");
    if (header->label[0] != '\0')
        put("label", header->label);
}

/* Bytes and blocks, with their standard errors if they are estimates. */
struct figure {
    bool estimate;
    int64_t bytes, blocks;
    double bytes_error, blocks_error;
};

static void put_amount(const char *name, struct figure figure) {
    char size[UNITS_BYTES], bytes_error[ESTIMATE_BYTES] = "", blocks_error[ESTIMATE_BYTES] = "";
    if (figure.estimate) {
        estimate_size(figure.bytes_error, bytes_error);
        estimate_count(figure.blocks_error, blocks_error);
    }
    printf("%-16s %s%s in %" PRId64 "%s block%s\n", name, units_size((double)figure.bytes, false, size),
           bytes_error, figure.blocks, blocks_error, figure.blocks == 1 ? "" : "s");
}

static void put_frees(const struct view_totals *totals) {
    char error[ESTIMATE_BYTES] = "";
    if (totals->sample_bytes != 0)
        estimate_count(totals->errors.frees, error);
    put_count("frees", totals->frees, error);
}

static void put_sampled(const struct tables *tables) {
    struct variances_traced traced = variances_sum_traced(tables);
    if (tables->header.sample_bytes == 0)
        return;
    printf("%-16s ", "sampled");
    estimate_put_line(stdout, tables->header.sample_bytes);
    printf("%-16s %" PRIu64 " allocations, %" PRIu64 " of their frees\n", "traced", traced.allocations,
           traced.frees);
}

static void put_peak_bound(const struct model *model) {
    char size[UNITS_BYTES];
    if (model->tables->header.sample_bytes != 0)
        printf("%-16s the largest that the estimate was: on average a little above the true one\n",
               "peak bound");
    else if (model->peak_bound_bytes == 0)
        printf("%-16s exact (one thread)\n", "peak bound");
    else
        printf("%-16s within %s of the largest live size (several threads)\n", "peak bound",
               units_size((double)model->peak_bound_bytes, false, size));
}

static void put_totals(const struct info *info) {
    const struct view_totals totals = make_view_totals(info->model);
    const struct ht_header *header = &info->source->tables->header;
    bool estimate = totals.sample_bytes != 0;
    char low[UNITS_BYTES], high[UNITS_BYTES];
    put_sampled(info->source->tables);
    put_amount("live", (struct figure){estimate, totals.live_bytes, totals.live_blocks,
                                       totals.errors.live_bytes, totals.errors.live_blocks});
    if (info->source->tables->running)
        printf("%-16s %s to %s while it was read\n", "live range",
               units_size((double)info->model->live_low_bytes, false, low),
               units_size((double)info->model->live_high_bytes, false, high));
    put_amount("peak", (struct figure){estimate, totals.peak_bytes, totals.peak_blocks,
                                       totals.errors.peak_bytes, totals.errors.peak_blocks});
    put_peak_bound(info->model);
    put_amount("allocated",
               (struct figure){estimate, (int64_t)totals.allocated_bytes, (int64_t)totals.allocations,
                               totals.errors.allocated_bytes, totals.errors.allocations});
    put_frees(&totals);
    if (header->inherited_blocks != 0)
        put_amount("inherited", (struct figure){.bytes = (int64_t)header->inherited_bytes,
                                                .blocks = (int64_t)header->inherited_blocks});
}

static void put_details(const struct info *info) {
    const struct ht_detail *details = &info->model->total_details;
    uint64_t below = info->source->tables->header.temporary_below;
    char size[UNITS_BYTES], peak[UNITS_BYTES];
    if (!details_present(info->source->tables))
        return;
    printf("%-16s temporary are blocks that were freed before the next ", "details");
    printf(below == 1 ? "allocation of their thread\n" : "%" PRIu64 " allocations of their thread\n", below);
    put_amount("temporary", (struct figure){.bytes = (int64_t)details->temporary_bytes,
                                            .blocks = (int64_t)details->temporaries});
    printf("%-16s %" PRIu64 ", of which %" PRIu64 " moved and copied %s\n", "reallocs", details->reallocs,
           details->moves, units_size((double)details->moved_bytes, false, size));
    printf("%-16s %s beyond what was asked for, %s at the peak\n", "waste",
           units_size((double)details_waste(details), false, size),
           units_size((double)details->peak_waste_bytes, false, peak));
}

static void put_tables(const struct info *info) {
    const struct tables *tables = info->source->tables;
    struct tables_slot_sums sums = tables_sum_slots(tables);
    char image[UNITS_BYTES], private[UNITS_BYTES], budget[UNITS_BYTES];
    put_count("stacks", info->model->stack_count, "");
    put_count("frames", tables->region[HT_REGION_FRAMES].count, " stored");
    put_count("PCs", tables->region[HT_REGION_PCS].count, "");
    put_count("cells", info->model->cell_count, "");
    put_count("threads", sums.threads, "");
    printf("%-16s %s image, %s private, of %s allowed\n", "tables' memory",
           units_size((double)tables->header.committed_bytes, false, image),
           units_size((double)tables->header.private_bytes, false, private),
           units_size((double)tables->header.budget_bytes, false, budget));
    put_count("truncated", tables_truncated(tables), " allocations whose stack was deeper than what is kept");
    put_count("unmatched frees", sums.unmatched_frees, " of blocks that were allocated before or unseen");
    if (sums.deferred != 0)
        put_count("deferred", sums.deferred, " events in signal handlers, counted a little later");
}

static void put_losses(const struct tables *tables) {
    struct loss losses[LOSSES_COUNT];
    size_t found = losses_of(tables, losses);
    printf("%-16s %s\n", "losses", found != 0 ? "" : "none");
    for (size_t i = 0; i < LOSSES_COUNT; i++)
        if (losses[i].value != 0)
            printf("  %-22s %" PRIu64 ": %s\n", losses[i].name, losses[i].value, losses[i].meaning);
}

static void put_modules(const struct info *info) {
    const struct tables *tables = info->source->tables;
    char build_id[2 * HT_BUILD_ID_BYTES + 1];
    puts("modules");
    for (uint32_t i = 0; i < tables->region[HT_REGION_MODULES].count; i++) {
        const struct ht_module *module = tables_module(tables, i);
        if (module->valid == 0)
            continue;
        struct symbols_status status = traces_symbols_status(info->traces, i);
        info_build_id(module, build_id);
        fputs("  ", stdout);
        harmless_put(stdout, tables_module_path(tables, i));
        printf("\n    0x%" PRIx64 "-0x%" PRIx64 "%s, build-id %s\n    ", module->start, module->end,
               module->unmapped_ns != 0 ? " (unmapped since)" : "", build_id[0] != '\0' ? build_id : "none");
        harmless_put(stdout, status.reason != NULL ? status.reason : "");
        putchar('\n');
    }
}

void info_print_text(const struct info *info) {
    put_process(info);
    put_totals(info);
    put_details(info);
    put_tables(info);
    if (info->source->tables->header.clears != 0)
        put_count("traces cleared", info->source->tables->header.clears, " times by the program");
    info_put_contexts(stdout, info->source->tables);
    put_losses(info->source->tables);
    info_put_verified(stdout, info->source->tables);
    put_modules(info);
}
