/* child.h - the traced program as our child. */
#ifndef HEAPTALLY_REPORT_CHILD_H
#define HEAPTALLY_REPORT_CHILD_H

#include "../source/error.h"

#include <sys/types.h>

struct child_variable {
    const char *name, *value; /* value null: not set by us */
};

/* Starts `path` with `argv`, our environment and the variables. It gets our signal dispositions, mask and
 * descriptors as they are now; from then on we ignore what a terminal sends to both, and pass SIGTERM and
 * SIGHUP on. Returns its pid, or -1 with the error and an exit status (126, 127) in *status. */
pid_t child_start(const char *path, char *const argv[], const struct child_variable *variables, size_t count,
                  int *status, struct error *error);

/* Waits at most `timeout_ms` (-1: for ever). True when the child has ended, with its wait status. */
bool child_wait(pid_t pid, int timeout_ms, int *wait_status);

/* What a shell would say: the exit status, or 128 + the signal. */
int child_exit_status(int wait_status);

#endif
