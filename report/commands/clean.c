/* clean.c - heaptally clean: removes the images of dead processes, the oldest first.
 * Owns:    the lists while it works.
 * Threads: one.  Signals: no.  Heap: yes. */
#define _GNU_SOURCE
#include "commands.h"
#include "options.h"
#include "../render/harmless.h"
#include "../source/directory.h"
#include "../source/looks.h"
#include "../run/session.h"

#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

struct clean {
    uint64_t keep_bytes;
    bool all, dry;
    uint64_t removed, removed_bytes, failed;
};

static uint64_t dead_bytes(const struct image_list *list) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < list->count; i++)
        bytes += list->entries[i].state != IMAGE_RUNNING ? list->entries[i].held_bytes : 0;
    return bytes;
}

static void remove_one(struct clean *self, const struct image_list *list, const struct image_entry *entry) {
    char path[PATH_MAX + 128];
    directory_path(list, entry, path, sizeof path);
    if (!self->dry && !directory_remove(list, entry) && errno != ENOENT) {
        fprintf(stderr, "heaptally: %s: %s\n", path, strerror(errno));
        self->failed++;
        return;
    }
    if (self->dry) {
        harmless_put(stdout, path);
        fputc('\n', stdout);
    }
    self->removed++;
    self->removed_bytes += entry->held_bytes;
}

/* The list is sorted by age: what comes last may stay. */
static void clean_list(struct clean *self, const struct image_list *list) {
    uint64_t held = dead_bytes(list);
    for (size_t i = 0; i < list->count; i++) {
        const struct image_entry *entry = &list->entries[i];
        if (entry->state == IMAGE_RUNNING || (self->keep_bytes != 0 && held <= self->keep_bytes))
            continue;
        held -= entry->held_bytes;
        remove_one(self, list, entry);
    }
}

static bool clean_directory(struct clean *self, const char *directory, struct error *error) {
    struct image_list list;
    if (!directory_list(directory, &list, error))
        return false;
    clean_list(self, &list);
    directory_list_free(&list);
    if (!self->dry)
        session_clean(directory);
    if (!self->dry)
        looks_clean(directory);
    return true;
}

/* Directories of others that we may not look into are passed over. */
static bool clean_all(struct clean *self) {
    static const char *const patterns[] = {"/dev/shm/heaptally-[0-9]*", "/tmp/heaptally-[0-9]*"};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        glob_t found;
        if (glob(patterns[i], 0, NULL, &found) != 0)
            continue;
        for (size_t j = 0; j < found.gl_pathc; j++)
            clean_directory(self, found.gl_pathv[j], NULL);
        globfree(&found);
    }
    return true;
}

static bool clean(struct clean *self, struct error *error) {
    char directory[PATH_MAX];
    bool done = self->all ? clean_all(self)
                          : directory_own(directory, sizeof directory, error) &&
                                clean_directory(self, directory, error);
    if (!done)
        return false;
    printf("%s %" PRIu64 " image%s of dead processes, %.1f KiB\n", self->dry ? "would remove" : "removed",
           self->removed, self->removed == 1 ? "" : "s", (double)self->removed_bytes / 1024);
    if (self->failed != 0)
        return error_set(error, "clean: %" PRIu64 " could not be removed", self->failed);
    return true;
}

static int run(int argc, char **argv, struct error *error) {
    struct clean self = {0};
    const struct option rows[] = {
        {.name = "keep-bytes",
         .kind = OPTION_BYTES,
         .value = &self.keep_bytes,
         .argument = "BYTES",
         .help = "leave the youngest that take no more than this together"},
        {.name = "all",
         .kind = OPTION_FLAG,
         .value = &self.all,
         .help = "of all users, in their default directories (root)"},
        {.name = "dry-run", .letter = 'n', .kind = OPTION_FLAG, .value = &self.dry, .help = "only say which"},
    };
    const struct option_table table = {
        .command = "clean",
        .synopsis = "[OPTION...]",
        .about = "Removes the images of dead processes, and what unfinished runs left behind. Images lie in "
                 "memory unless\n"
                 "HEAPTALLY_DIR says otherwise; a traced process that starts removes the oldest ones too "
                 "when they are\n"
                 "many. heaptally snapshot PID saves one before.",
        .options = rows,
        .count = sizeof rows / sizeof *rows,
    };
    const struct operands_wanted wanted = {0, "takes no operand"};
    int status;
    if (!options_ready(&table, wanted, argc, argv, &status, error))
        return status;
    return clean(&self, error) ? 0 : EXIT_FAILED;
}

const struct command command_clean = {"clean", "remove the images of dead processes", run};
