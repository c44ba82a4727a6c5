/* session.h - one `heaptally run`: its number, and the log in which its processes note their snapshots.
 *
 * The log is DIRECTORY/session-NUMBER.log; a process appends "PID NUMBER TRIGGER PATH\n" with one write. It
 * is locked while the run lives. */
#ifndef HEAPTALLY_REPORT_SESSION_H
#define HEAPTALLY_REPORT_SESSION_H

#include "../source/error.h"

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

struct session {
    uint64_t number;
    char directory[PATH_MAX];
    char log[PATH_MAX + 64];
    int fd;
    off_t read_bytes;
};

struct session_event {
    uint32_t pid, number, trigger;
    char path[PATH_MAX];
};

/* Makes the directory if need be, and the log. */
bool session_begin(struct session *self, struct error *error);
void session_end(struct session *self);

/* Reads the next line that is complete; false when there is none yet. */
bool session_next(struct session *self, struct session_event *event);

/* Parses a line without its newline. */
bool session_parse(const char *line, struct session_event *event);

/* Removes the logs of runs that live no more. */
void session_clean(const char *directory);

#endif
