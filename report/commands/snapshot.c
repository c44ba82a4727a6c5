/* snapshot.c - heaptally snapshot PID: saves a process's image from outside, without its cooperation.
 * Owns:    the source while it writes.
 * Threads: one.  Signals: no.  Heap: yes. */
#include "commands.h"
#include "options.h"
#include "../render/harmless.h"
#include "../source/open.h"
#include "../source/pattern.h"
#include "../source/save.h"
#include "../source/snapshot_write.h"

/* -o names one file, which must be free; the default pattern counts on. */
static bool write_named(const struct tables *tables, const struct save_options *options, char path[PATH_MAX],
                        struct error *error) {
    struct pattern_values values = {tables->header.program, tables->header.pid, tables->header.snapshots + 1,
                                    ""};
    struct snapshot_options how = {.trigger = options->trigger,
                                   .number = values.number,
                                   .compress = true,
                                   .overwrite = options->overwrite};
    if (pattern_has_number(options->pattern))
        return save_snapshot(tables, options, path, error);
    if (!pattern_expand(options->pattern, &values, path, PATH_MAX))
        return error_set(error, "%s: the name becomes too long", options->pattern);
    return snapshot_write(tables, path, &how, NULL, error);
}

static bool take(const char *name, struct save_options *options, struct error *error) {
    struct source source;
    char path[PATH_MAX];
    if (!pattern_check(options->pattern, error) || !source_open(&source, name, error))
        return false;
    if (source.note[0] != '\0')
        fprintf(stderr, "heaptally: %s\n", source.note);
    options->trigger = source.kind == SOURCE_RUNNING ? HT_TRIGGER_OUTSIDE : HT_TRIGGER_IMAGE;
    bool done =
        source.kind != SOURCE_SNAPSHOT
            ? write_named(source.tables, options, path, error)
            : error_set(error, "snapshot: %s is a snapshot already; a pid or an image is needed", name);
    if (done) {
        harmless_put(stdout, path);
        fputc('\n', stdout);
    }
    source_close(&source);
    return done;
}

static int run(int argc, char **argv, struct error *error) {
    struct save_options options = {.pattern = PATTERN_DEFAULT};
    const struct option rows[] = {
        {.name = "output",
         .letter = 'o',
         .kind = OPTION_STRING,
         .value = &options.pattern,
         .argument = "FILE",
         .help = "the file; %e program, %p pid, %n number (default " PATTERN_DEFAULT ")"},
        {.name = "overwrite",
         .kind = OPTION_FLAG,
         .value = &options.overwrite,
         .help = "replace an existing file"},
    };
    const struct option_table table = {
        .command = "snapshot",
        .synopsis = "[-o FILE] PID",
        .about = "Saves the heap of a traced process as it is now, without stopping it or asking it; of a "
                 "dead one, from the\n"
                 "image that it left. PID may be an image file. Prints the name of the snapshot.",
        .options = rows,
        .count = sizeof rows / sizeof *rows,
    };
    const struct operands_wanted wanted = {1, "needs one PID (heaptally ps lists them)"};
    int status;
    if (!options_ready(&table, wanted, argc, argv, &status, error))
        return status;
    return take(argv[1], &options, error) ? 0 : EXIT_FAILED;
}

const struct command command_snapshot = {"snapshot", "save a process's heap as it is now, from outside", run};
