/* ps.c - heaptally ps: the traced processes, and the dead ones whose image is still there.
 * Owns:    the list while it prints.
 * Threads: one.  Signals: no.  Heap: yes. */
#define _GNU_SOURCE
#include "commands.h"
#include "make_view.h"
#include "options.h"
#include "../render/estimate.h"
#include "../render/json.h"
#include "../render/table.h"
#include "../render/units.h"
#include "../source/directory.h"
#include "../source/image.h"
#include "../source/model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COLUMNS    7
#define CELL_BYTES (UNITS_BYTES + ESTIMATE_BYTES)

struct process {
    const struct image_entry *entry;
    bool readable;
    char program[HT_PATH_BYTES];
    char reason[160]; /* if it is not readable */
    uint64_t created_realtime_ns;
    struct view_totals totals;
};

static const char *const states[] = {
    [IMAGE_RUNNING] = "running", [IMAGE_DEAD] = "dead", [IMAGE_REPLACED] = "exec'd"};

static void look_at(const struct image_list *list, const struct image_entry *entry, struct process *process) {
    char path[PATH_MAX + 128];
    struct error error = {""};
    memset(process, 0, sizeof *process);
    process->entry = entry;
    directory_path(list, entry, path, sizeof path);
    struct tables *tables = image_read(path, entry->state == IMAGE_RUNNING, &error);
    struct model *model = tables != NULL ? model_new(tables, &error) : NULL;
    process->readable = model != NULL;
    snprintf(process->reason, sizeof process->reason, "%.*s", (int)sizeof process->reason - 1, error.text);
    if (model != NULL) {
        snprintf(process->program, sizeof process->program, "%s", tables->header.program);
        process->created_realtime_ns = tables->header.created_realtime_ns;
        process->totals = make_view_totals(model);
    }
    model_free(model);
    tables_free(tables);
}

static void format_time(uint64_t realtime_ns, char *text, size_t bytes) {
    time_t seconds = (time_t)(realtime_ns / 1000000000u);
    struct tm broken;
    if (localtime_r(&seconds, &broken) == NULL || strftime(text, bytes, "%Y-%m-%d %H:%M:%S", &broken) == 0)
        snprintf(text, bytes, "?");
}

/* ---- text ---- */

static void fill_totals(const struct view_totals *totals, char (*text)[CELL_BYTES]) {
    char size[UNITS_BYTES], errors[3][ESTIMATE_BYTES] = {"", "", ""};
    if (totals->sample_bytes != 0) {
        estimate_size(totals->errors.live_bytes, errors[0]);
        estimate_count(totals->errors.live_blocks, errors[1]);
        estimate_count(totals->errors.allocations, errors[2]);
    }
    units_size((double)totals->live_bytes, false, size);
    snprintf(text[3], CELL_BYTES, "%s%s", size, errors[0]);
    snprintf(text[4], CELL_BYTES, "%" PRId64 "%s", totals->live_blocks, errors[1]);
    snprintf(text[5], CELL_BYTES, "%" PRIu64 "%s", totals->allocations, errors[2]);
}

static void fill_cells(const struct process *process, char (*text)[CELL_BYTES], const char **cells) {
    snprintf(text[0], CELL_BYTES, "%" PRIu32, process->entry->pid);
    cells[1] = states[process->entry->state];
    cells[2] = process->readable ? process->program : "(unreadable)";
    for (int i = 3; i < COLUMNS; i++)
        snprintf(text[i], CELL_BYTES, "?");
    if (process->readable) {
        fill_totals(&process->totals, text);
        format_time(process->created_realtime_ns, text[6], CELL_BYTES);
    }
    for (int i = 0; i < COLUMNS; i++)
        if (i != 1 && i != 2)
            cells[i] = text[i];
}

static bool print_table(const struct process *processes, size_t count, struct error *error) {
    static const struct table_column columns[COLUMNS] = {
        {"PID", true},    {"STATE", false},      {"PROGRAM", false}, {"LIVE", true},
        {"BLOCKS", true}, {"ALLOCATIONS", true}, {"STARTED", false}};
    char(*text)[CELL_BYTES] = calloc(count * COLUMNS + 1, sizeof *text);
    const char **cells = calloc(count * COLUMNS + 1, sizeof *cells);
    bool done = text != NULL && cells != NULL;
    if (done) {
        for (size_t i = 0; i < count; i++)
            fill_cells(&processes[i], text + i * COLUMNS, cells + i * COLUMNS);
        table_render(stdout, columns, COLUMNS, cells, count);
    }
    free(text);
    free(cells);
    for (size_t i = 0; done && i < count; i++)
        if (processes[i].totals.sample_bytes != 0) {
            puts("+-: estimates from samples, and their standard errors (heaptally info PID)");
            break;
        }
    return done || error_out_of_memory(error);
}

/* ---- JSON: {"directory", "processes": [{pid, state, image, program, live_bytes, live_blocks, allocations,
 *      started_ns, image_bytes}]}; what is not readable is null, and "reason" says why. Of a sampled process
 *      also sampled_every_bytes and the standard errors live_bytes_error, ... ---- */

static void print_errors(struct json *json, const struct view_totals *totals) {
    if (totals->sample_bytes == 0)
        return;
    json_put_unsigned(json, "sampled_every_bytes", totals->sample_bytes);
    json_put_real(json, "live_bytes_error", totals->errors.live_bytes);
    json_put_real(json, "live_blocks_error", totals->errors.live_blocks);
    json_put_real(json, "allocations_error", totals->errors.allocations);
}

static void print_process(struct json *json, const struct image_list *list, const struct process *process) {
    char path[PATH_MAX + 128];
    directory_path(list, process->entry, path, sizeof path);
    json_open(json, NULL, '{');
    json_put_unsigned(json, "pid", process->entry->pid);
    json_put_string(json, "state", states[process->entry->state]);
    json_put_string(json, "image", path);
    json_put_unsigned(json, "image_bytes", process->entry->held_bytes);
    json_put_string(json, "program", process->readable ? process->program : NULL);
    if (process->readable) {
        json_put_signed(json, "live_bytes", process->totals.live_bytes);
        json_put_signed(json, "live_blocks", process->totals.live_blocks);
        json_put_unsigned(json, "allocations", process->totals.allocations);
        print_errors(json, &process->totals);
        json_put_unsigned(json, "started_ns", process->created_realtime_ns);
    } else {
        json_put_string(json, "reason", process->reason);
    }
    json_close(json, '}');
}

static void print_json(const struct image_list *list, const struct process *processes) {
    struct json json = {.out = stdout};
    json_open(&json, NULL, '{');
    json_put_string(&json, "directory", list->directory);
    json_open(&json, "processes", '[');
    for (size_t i = 0; i < list->count; i++)
        print_process(&json, list, &processes[i]);
    json_close(&json, ']');
    json_close(&json, '}');
}

static bool list_processes(bool as_json, struct error *error) {
    struct image_list list;
    char directory[PATH_MAX];
    if (!directory_own(directory, sizeof directory, error) || !directory_list(directory, &list, error))
        return false;
    struct process *processes = calloc(list.count + 1, sizeof *processes);
    bool done = processes != NULL || error_out_of_memory(error);
    for (size_t i = 0; done && i < list.count; i++)
        look_at(&list, &list.entries[i], &processes[i]);
    if (done && as_json)
        print_json(&list, processes);
    else if (done)
        done = print_table(processes, list.count, error);
    free(processes);
    directory_list_free(&list);
    return done;
}

static int run(int argc, char **argv, struct error *error) {
    bool as_json = false;
    const struct option rows[] = {
        {.name = "json", .kind = OPTION_FLAG, .value = &as_json, .help = "one JSON object"},
    };
    const struct option_table table = {
        .command = "ps",
        .synopsis = "[--json]",
        .about = "Lists the traced processes of this user, and the dead ones whose image is still there; "
                 "oldest first.\n"
                 "STATE is running, dead, or exec'd: what the process was before it ran another program.\n"
                 "HEAPTALLY_DIR names the directory if it is not the default.",
        .options = rows,
        .count = sizeof rows / sizeof *rows,
    };
    const struct operands_wanted wanted = {0, "takes no operand"};
    int status;
    if (!options_ready(&table, wanted, argc, argv, &status, error))
        return status;
    return list_processes(as_json, error) ? 0 : EXIT_FAILED;
}

const struct command command_ps = {"ps", "the traced processes, and dead ones whose image is there", run};
