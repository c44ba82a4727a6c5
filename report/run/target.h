/* target.h - the program to run: where it is, and whether it can be traced at all. */
#ifndef HEAPTALLY_REPORT_TARGET_H
#define HEAPTALLY_REPORT_TARGET_H

#include "../source/error.h"

#include <limits.h>

#define TARGET_NOT_EXECUTABLE 126
#define TARGET_NOT_FOUND      127

/* Finds `program` as execvp would. Returns 0 and its path, or an exit status with the error. */
int target_find(const char *program, char path[PATH_MAX], struct error *error);

/* Whether a preloaded library of this machine would be loaded into `path`, or into the interpreter of a
 * script: refuses static programs, other machines, those that run with more rights than ours, where the
 * loader ignores LD_PRELOAD, and those with a library that tolerates none before it. Returns 0, or an exit
 * status with the error. A file that cannot be read is let pass. */
int target_check(const char *path, struct error *error);

#endif
