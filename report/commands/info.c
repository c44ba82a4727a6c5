/* info.c - heaptally info SOURCE: what was traced, how completely, and what can be named.
 * Owns:    everything it loads, until it has printed.
 * Threads: one.  Signals: no.  Heap: yes. */
#include "commands.h"
#include "info_facts.h"
#include "options.h"
#include "../source/open.h"

#include <stdio.h>

/* Frames are looked up, so that the modules' symbols are opened and can be told of. */
static bool resolve_all(struct traces *traces) {
    const frame_id *ids;
    size_t count;
    for (size_t i = 0; i < traces_count(traces); i++)
        if (!traces_frames(traces, i, &ids, &count))
            return false;
    return true;
}

static bool describe(const struct source *source, bool as_json, bool symbols_wanted, struct error *error) {
    struct symbols *symbols = symbols_new(NULL);
    struct frames *frames = frames_new();
    struct model *model = model_new(source->tables, error);
    struct traces *traces = NULL;
    bool done = false;
    if (symbols == NULL || frames == NULL)
        error_out_of_memory(error);
    else if (model != NULL)
        traces = traces_new(model, symbols, frames, error);
    if (traces != NULL && (!symbols_wanted || resolve_all(traces))) {
        struct info info = {source, model, traces};
        if (as_json)
            info_print_json(&info);
        else
            info_print_text(&info);
        done = true;
    }
    traces_free(traces);
    model_free(model);
    frames_free(frames);
    if (symbols != NULL)
        symbols_free(symbols);
    return done;
}

static bool show(const char *name, bool as_json, bool symbols_wanted, struct error *error) {
    struct source source;
    if (!source_open(&source, name, error))
        return false;
    if (source.note[0] != '\0')
        fprintf(stderr, "heaptally: %s\n", source.note);
    bool done = describe(&source, as_json, symbols_wanted, error);
    source_close(&source);
    return done;
}

static int run(int argc, char **argv, struct error *error) {
    bool as_json = false, quick = false;
    const struct option rows[] = {
        {.name = "json", .kind = OPTION_FLAG, .value = &as_json, .help = "one JSON object"},
        {.name = "quick", .kind = OPTION_FLAG, .value = &quick, .help = "look up no symbols"},
    };
    const struct option_table table = {
        .command = "info",
        .synopsis = "[OPTION...] SOURCE",
        .about = "Says what was traced: the process, its totals, losses, modules with build-ids, which "
                 "symbols were found\n"
                 "and why others were not. SOURCE is a snapshot file, a live image or a process's pid.",
        .options = rows,
        .count = sizeof rows / sizeof *rows,
    };
    const struct operands_wanted wanted = {1, "needs one SOURCE: a snapshot file, an image or a pid"};
    int status;
    if (!options_ready(&table, wanted, argc, argv, &status, error))
        return status;
    return show(argv[1], as_json, !quick, error) ? 0 : EXIT_FAILED;
}

const struct command command_info = {"info", "what was traced, how completely, with which symbols", run};
