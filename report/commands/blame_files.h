/* blame_files.h - the user's and a project's own patterns for the line that a row names.
 *
 *     $XDG_CONFIG_HOME/heaptally/blame, else ~/.config/heaptally/blame       the user's
 *     .heaptally-blame in the working directory or the nearest above it       the project's
 *
 * A line is a pattern, as --skip takes it: functions, files and modules that match are passed over. Behind a
 * `!` it is one that is never passed over, whatever the built-in list or another line says. Empty lines and
 * those that begin with # are none. */
#ifndef HEAPTALLY_REPORT_BLAME_FILES_H
#define HEAPTALLY_REPORT_BLAME_FILES_H

#include "../source/error.h"
#include "../stats/blame.h"

#include <limits.h>

struct blame_list {
    char **items; /* owned */
    size_t count;
};

struct blame_file {
    char path[PATH_MAX]; /* "" if there is none */
    struct blame_list skip, keep;
};

enum blame_origin { BLAME_OF_USER, BLAME_OF_PROJECT, BLAME_ORIGINS };

struct blame_files {
    struct blame_file of[BLAME_ORIGINS];
    struct blame_list skip, keep; /* of all, and what was added; they borrow */
};

/* Finds and reads the files; one that is not there is empty. False with the error; free it in any case. */
bool blame_files_read(struct blame_files *self, struct error *error);
void blame_files_free(struct blame_files *self);

/* Adds a pattern of --skip, which is borrowed. False when out of memory. */
bool blame_files_skip(struct blame_files *self, const char *pattern);

/* What they say, for a query; lives as long as `self`. */
struct blame blame_files_blame(const struct blame_files *self);

#endif
