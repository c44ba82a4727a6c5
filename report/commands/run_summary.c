/* run_summary.c - see run_summary.h.
 * Owns:    the snapshot while it reads its totals.
 * Threads: one.  Signals: no.  Heap: yes. */
#define _GNU_SOURCE
#include "run_summary.h"
#include "make_view.h"
#include "../render/estimate.h"
#include "../render/harmless.h"
#include "../render/units.h"
#include "../source/losses.h"
#include "../source/model.h"
#include "../source/snapshot.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Without the working directory in front: shorter to type. */
static const char *shortened(const char *path) {
    char *here = getcwd(NULL, 0);
    size_t length = here != NULL ? strlen(here) : 0;
    bool inside = length > 1 && strncmp(path, here, length) == 0 && path[length] == '/';
    free(here);
    return inside ? path + length + 1 : path;
}

/* As a word for the shell. */
static void put_word(FILE *out, const char *path) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-,:@%=";
    bool quoted = path[strspn(path, plain)] != '\0' && strchr(path, '\'') == NULL;
    fputs(quoted ? "'" : "", out);
    harmless_put(out, path);
    fputs(quoted ? "'" : "", out);
}

static void put_end(const struct run_result *result, FILE *out) {
    int status = result->wait_status;
    if (WIFSIGNALED(status))
        fprintf(out, "killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        fprintf(out, "ended with status %d, without its exit handlers", WEXITSTATUS(status));
}

static void put_losses(const struct tables *tables, FILE *out) {
    struct loss losses[LOSSES_COUNT];
    if (losses_of(tables, losses) == 0) {
        fputs(", nothing lost\n", out);
        return;
    }
    fputs("; lost:", out);
    for (size_t i = 0; i < LOSSES_COUNT; i++)
        if (losses[i].value != 0)
            fprintf(out, " %s %" PRIu64, losses[i].name, losses[i].value);
    fputs(" (heaptally info says more)\n", out);
}

static void put_estimates(const struct model *model, FILE *out) {
    const struct view_totals totals = make_view_totals(model);
    char size[UNITS_BYTES], error[ESTIMATE_BYTES];
    fprintf(out, ": estimates from samples, one each %s, +- standard errors:",
            units_size((double)totals.sample_bytes, false, size));
    fprintf(out, " peak %s%s", units_size((double)totals.peak_bytes, false, size),
            estimate_size(totals.errors.peak_bytes, error));
    fprintf(out, ", live at exit %s%s", units_size((double)totals.live_bytes, false, size),
            estimate_size(totals.errors.live_bytes, error));
    fprintf(out, " in %" PRId64 "%s blocks", totals.live_blocks,
            estimate_count(totals.errors.live_blocks, error));
    fprintf(out, ", %" PRIu64 "%s allocations", totals.allocations,
            estimate_count(totals.errors.allocations, error));
}

/* By the name of what runs at the end: the program that was started may have become another by exec. */
static void put_totals(const struct tables *tables, const struct model *model, FILE *out) {
    char peak[UNITS_BYTES], live[UNITS_BYTES];
    fputs("heaptally: ", out);
    harmless_put(out, tables->header.program);
    if (model->totals.allocations == 0) {
        fputs(tables->header.sample_bytes != 0
                  ? ": no allocation was drawn for the sample: there were few, or it brings a malloc of its "
                    "own\n"
                  : ": no allocation was seen: it may bring a malloc of its own, in the executable\n",
              out);
        return;
    }
    if (tables->header.sample_bytes != 0) {
        put_estimates(model, out);
        put_losses(tables, out);
        return;
    }
    fprintf(out, ": peak %s, live at exit %s in %" PRId64 " block%s, %" PRIu64 " allocation%s",
            units_size((double)model->totals.peak_bytes, false, peak),
            units_size((double)model->totals.live_bytes, false, live), model->totals.live_blocks,
            model->totals.live_blocks == 1 ? "" : "s", model->totals.allocations,
            model->totals.allocations == 1 ? "" : "s");
    put_losses(tables, out);
}

/* A program that has cleaned up has little left to show: then the peak is what to look at. */
static bool mostly_freed(const struct model *model) {
    return model->totals.live_bytes < model->totals.peak_bytes / 4;
}

/* Whether to look at the peak next. */
static bool put_numbers(const struct run_result *result, FILE *out) {
    struct error error;
    struct tables *tables = snapshot_read(result->path, &error);
    struct model *model = tables != NULL ? model_new(tables, &error) : NULL;
    if (model != NULL)
        put_totals(tables, model, out);
    else
        fprintf(out, "heaptally: %s\n", error.text);
    bool at_peak = model != NULL && mostly_freed(model);
    model_free(model);
    tables_free(tables);
    return at_peak;
}

static void put_nothing(const struct run_result *result, FILE *out) {
    fputs("heaptally: ", out);
    harmless_put(out, result->program);
    if (result->image_stays)
        fprintf(out,
                ": no snapshot; heaptally top %" PRIu32 " reads the image, heaptally snapshot %" PRIu32
                " saves it\n",
                result->pid, result->pid);
    else
        fputs(": no snapshot and no image: the tracer was not loaded, could not write, or refused a "
              "HEAPTALLY_ variable\n",
              out);
}

static void put_others(const struct run_result *result, FILE *out) {
    if (result->more + result->children != 0) {
        fprintf(out,
                "heaptally: more snapshots: %" PRIu64 " of this process, %" PRIu64
                " of its children; the last: ",
                result->more, result->children);
        harmless_put(out, shortened(result->other_path));
        fputc('\n', out);
    }
    if (result->running != 0)
        fprintf(out, "heaptally: %" PRIu64 " traced process%s still running (heaptally ps)\n",
                result->running, result->running == 1 ? " is" : "es are");
}

void run_summary_print(const struct run_result *result, FILE *out) {
    if (result->path[0] == '\0') {
        put_nothing(result, out);
    } else {
        if (result->from_image) {
            fputs("heaptally: ", out);
            put_end(result, out);
            fputs("; snapshot made from its image\n", out);
        }
        bool at_peak = put_numbers(result, out);
        fprintf(out, "heaptally: next: heaptally top %s", at_peak ? "--metric peak " : "");
        put_word(out, shortened(result->path));
        fputc('\n', out);
    }
    put_others(result, out);
}
