/* run.c - heaptally run PROGRAM: traces a program from its start to its end, and says what to type next.
 * Owns:    the session.
 * Holds:   standard input and output are the program's alone; what we say goes to standard error.
 * Threads: one.  Signals: see child.h.  Heap: yes. */
#define _GNU_SOURCE
#include "commands.h"
#include "analysis.h"
#include "run_summary.h"
#include "../render/harmless.h"
#include "../run/child.h"
#include "../run/leftovers.h"
#include "../run/library.h"
#include "../run/target.h"
#include "../source/pattern.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WATCH_MS   50
#define SAMPLE_MAX ((uint64_t)64 << 30)

struct run {
    const char *pattern, *signal, *sample;
    uint64_t nframe, top;
    bool mmap, overwrite, no_follow, details;
    struct session session;
    char absolute_pattern[PATH_MAX * 2]; /* a program that is elsewhere writes here too */
    struct run_result result;
};

/* ---- before ---- */

/* Puts the working directory in front, its percent signs doubled. Too long for the library: left as it is. */
static void make_absolute(struct run *self) {
    char *here = self->pattern[0] != '/' ? getcwd(NULL, 0) : NULL;
    char *out = self->absolute_pattern;
    if (here != NULL && 2 * strlen(here) + strlen(self->pattern) + 2 <= HT_PATH_BYTES) {
        for (const char *at = here; *at != '\0'; at++) {
            if (*at == '%')
                *out++ = '%';
            *out++ = *at;
        }
        *out++ = '/';
    }
    free(here);
    snprintf(out, sizeof self->absolute_pattern - (size_t)(out - self->absolute_pattern), "%s",
             self->pattern);
}

static bool choose_pattern(struct run *self, struct error *error) {
    if (self->pattern == NULL)
        self->pattern = getenv("HEAPTALLY_OUT");
    if (self->pattern == NULL || self->pattern[0] == '\0')
        self->pattern = PATTERN_DEFAULT;
    if (!pattern_check(self->pattern, error))
        return false;
    make_absolute(self);
    return true;
}

static bool preload_value(const char *library, char *value, size_t value_bytes, struct error *error) {
    const char *before = getenv("LD_PRELOAD");
    bool has = before != NULL && before[0] != '\0';
    int length = snprintf(value, value_bytes, "%s%s%s", library, has ? ":" : "", has ? before : "");
    return (length > 0 && (size_t)length < value_bytes) || error_set(error, "run: LD_PRELOAD is too long");
}

static pid_t start(struct run *self, const char *path, char **argv, int *status, struct error *error) {
    char library[PATH_MAX], preload[4 * PATH_MAX], session[32], nframe[32];
    *status = EXIT_FAILED;
    if (!library_find(library, error) || !preload_value(library, preload, sizeof preload, error))
        return -1;
    snprintf(session, sizeof session, "%" PRIu64, self->session.number);
    snprintf(nframe, sizeof nframe, "%" PRIu64, self->nframe);
    const struct child_variable variables[] = {
        {"LD_PRELOAD", preload},
        {"HEAPTALLY_DIR", self->session.directory},
        {"HEAPTALLY_OUT", self->absolute_pattern},
        {"HEAPTALLY_SESSION", session},
        {"HEAPTALLY_NFRAME", self->nframe != 0 ? nframe : NULL},
        {"HEAPTALLY_SIGNAL", self->signal},
        {"HEAPTALLY_OVERWRITE", self->overwrite ? "1" : NULL},
        {"HEAPTALLY_SAMPLE", self->sample},
        {"HEAPTALLY_DETAILS", self->details ? "1" : NULL},
        {"HEAPTALLY_MMAP", self->mmap ? "1" : NULL},
        {"HEAPTALLY_FOLLOW", self->no_follow ? "0" : NULL},
    };
    return child_start(path, argv, variables, sizeof variables / sizeof *variables, status, error);
}

/* ---- meanwhile ---- */

static void print_top(const struct run *self, const char *path) {
    struct analysis_options options = ANALYSIS_DEFAULTS;
    struct error error;
    options.command = "run";
    options.rows = self->top;
    if (self->top == 0)
        return;
    fputs("heaptally: ", stderr);
    harmless_put(stderr, path);
    fputc('\n', stderr);
    if (!analysis_top(path, &options, stderr, &error))
        fprintf(stderr, "heaptally: %s\n", error.text);
}

static void drain(struct run *self) {
    struct session_event event;
    while (session_next(&self->session, &event)) {
        bool is_exit = event.trigger == HT_TRIGGER_EXIT;
        if (event.pid == self->result.pid && is_exit)
            snprintf(self->result.path, sizeof self->result.path, "%s", event.path);
        else {
            *(event.pid == self->result.pid ? &self->result.more : &self->result.children) += 1;
            snprintf(self->result.other_path, sizeof self->result.other_path, "%s", event.path);
        }
        if (is_exit || event.trigger == HT_TRIGGER_SIGNAL)
            print_top(self, event.path);
    }
}

static void wait_for(struct run *self) {
    while (!child_wait((pid_t)self->result.pid, self->top != 0 ? WATCH_MS : -1, &self->result.wait_status))
        drain(self);
    drain(self);
}

/* ---- after ---- */

static void collect(struct run *self) {
    struct leftovers leftovers = {.main_pid = self->result.pid};
    struct save_options options = {
        .pattern = self->absolute_pattern, .trigger = HT_TRIGGER_IMAGE, .overwrite = self->overwrite};
    leftovers_save(&leftovers, &self->session, &options);
    self->result.more += leftovers.more;
    self->result.children += leftovers.children;
    self->result.running = leftovers.running;
    self->result.image_stays = leftovers.failed != 0;
    if (leftovers.other_path[0] != '\0')
        snprintf(self->result.other_path, sizeof self->result.other_path, "%s", leftovers.other_path);
    if (leftovers.failed != 0)
        fprintf(stderr, "heaptally: an image could not be saved, and stays: %s\n", leftovers.error.text);
    if (leftovers.main_path[0] == '\0')
        return;
    if (self->result.path[0] != '\0') { /* what the process was before an exec */
        self->result.more++;
        snprintf(self->result.other_path, sizeof self->result.other_path, "%s", leftovers.main_path);
        return;
    }
    self->result.from_image = true;
    snprintf(self->result.path, sizeof self->result.path, "%s", leftovers.main_path);
    print_top(self, leftovers.main_path);
}

/* Here, so that the option is named and not the variable. */
static bool check_sample(const char *sample, struct error *error) {
    uint64_t bytes;
    return sample == NULL || (options_bytes(sample, &bytes) && bytes <= SAMPLE_MAX) ||
           error_set(error, "run: --sample: '%s' is not a number of bytes up to 64G, as 512K is", sample);
}

/* Details are of every block. */
static bool check_details(const struct run *self, struct error *error) {
    uint64_t bytes = 0;
    const char *sample = self->sample != NULL ? self->sample : getenv("HEAPTALLY_SAMPLE");
    if (!self->details || sample == NULL || !options_bytes(sample, &bytes) || bytes == 0)
        return true;
    return error_set(error, "run: --details is of every block: without --sample (HEAPTALLY_SAMPLE) alone");
}

static int trace(struct run *self, char **argv, struct error *error) {
    char path[PATH_MAX];
    if (!check_sample(self->sample, error) || !check_details(self, error))
        return EXIT_FAILED;
    int status = target_find(argv[0], path, error);
    if (status == 0)
        status = target_check(path, error);
    if (status != 0)
        return status;
    if (!choose_pattern(self, error) || !session_begin(&self->session, error))
        return EXIT_FAILED;
    pid_t pid = start(self, path, argv, &status, error);
    if (pid > 0) {
        self->result.pid = (uint32_t)pid;
        self->result.program = argv[0];
        wait_for(self);
        collect(self);
        run_summary_print(&self->result, stderr);
        status = child_exit_status(self->result.wait_status);
    }
    session_end(&self->session);
    return status;
}

static void print_notes(FILE *out) {
    fputs("\nThe exit status is the program's, 128 + N if signal N ended it, 126 if it cannot be run or "
          "traced, 127 if it\n"
          "was not found, 2 for an error of heaptally's. Snapshots are written at exit, on the signal "
          "(default SIGUSR2,\n"
          "unless the program handles it) and by heaptally_snapshot(). In FILE: %e program, %p pid, %n "
          "number, %l label,\n"
          "%% percent. HEAPTALLY_MEMORY, HEAPTALLY_DIR and the other variables are heeded too.\n",
          out);
}

static int run(int argc, char **argv, struct error *error) {
    static struct run self;
    const struct option rows[] = {
        {.name = "output",
         .letter = 'o',
         .kind = OPTION_STRING,
         .value = &self.pattern,
         .argument = "FILE",
         .help = "name of the snapshots (default " PATTERN_DEFAULT ")"},
        {.name = "frames",
         .letter = 'f',
         .kind = OPTION_NUMBER,
         .value = &self.nframe,
         .argument = "N",
         .min = 1,
         .max = HT_NFRAME_MAX,
         .help = "frames kept of a stack, the newest (default 128)"},
        {.name = "top",
         .kind = OPTION_NUMBER,
         .value = &self.top,
         .argument = "N",
         .min = 1,
         .max = UINT32_MAX,
         .help = "print the N largest rows after each snapshot on a signal and at exit"},
        {.name = "signal",
         .kind = OPTION_STRING,
         .value = &self.signal,
         .argument = "SIGNAL",
         .help = "the signal that takes a snapshot (default USR2; none)"},
        {.name = "sample",
         .kind = OPTION_STRING,
         .value = &self.sample,
         .argument = "BYTES",
         .help = "trace one block each BYTES bytes, 512K say, and estimate the rest (default 0: trace all)"},
        {.name = "details",
         .kind = OPTION_FLAG,
         .value = &self.details,
         .help = "count sizes, lifetimes, ages, waste, reallocs and temporary blocks too; it takes time"},
        {.name = "mmap",
         .kind = OPTION_FLAG,
         .value = &self.mmap,
         .help = "count what mmap, mremap, brk and sbrk map too, in the domain mmap"},
        {.name = "overwrite",
         .kind = OPTION_FLAG,
         .value = &self.overwrite,
         .help = "replace existing files"},
        {.name = "no-follow",
         .kind = OPTION_FLAG,
         .value = &self.no_follow,
         .help = "trace no child processes"},
    };
    const struct option_table table = {
        .command = "run",
        .synopsis = "[OPTION...] [--] PROGRAM [ARGUMENT...]",
        .about = "Runs a program and traces its heap. Ends with a snapshot, also when the program is killed.",
        .options = rows,
        .count = sizeof rows / sizeof *rows,
        .stop_at_operand = true,
        .notes = print_notes,
    };
    int operands;
    enum options_result parsed = options_parse(&table, argc, argv, &operands, error);
    if (parsed == OPTIONS_HELP)
        return 0;
    if (parsed == OPTIONS_PARSED && operands == 0)
        error_set(error, "run: needs a PROGRAM");
    else if (parsed == OPTIONS_PARSED)
        return trace(&self, argv + 1, error);
    return EXIT_FAILED;
}

const struct command command_run = {"run", "run a program and trace its heap", run};
