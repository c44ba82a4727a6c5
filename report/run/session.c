/* session.c - see session.h.
 * Owns:    the log: its descriptor and its lock.
 * Threads: one.  Signals: no.  Heap: no. */
#define _GNU_SOURCE
#include "session.h"
#include "../source/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Not 0: that is no session. */
static uint64_t new_number(void) {
    uint64_t number = 0;
    struct timespec now;
    if (getrandom(&number, sizeof number, 0) == (ssize_t)sizeof number && number != 0)
        return number;
    clock_gettime(CLOCK_REALTIME, &now);
    return ((uint64_t)now.tv_sec << 20 ^ (uint64_t)now.tv_nsec ^ (uint64_t)getpid() << 40) | 1;
}

bool session_begin(struct session *self, struct error *error) {
    self->fd = -1;
    self->read_bytes = 0;
    self->number = new_number();
    if (!directory_own(self->directory, sizeof self->directory, error) ||
        !directory_create(self->directory, error))
        return false;
    snprintf(self->log, sizeof self->log, "%s/session-%" PRIu64 ".log", self->directory, self->number);
    self->fd = open(self->log, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (self->fd < 0)
        return error_set(error, "run: %s: %s", self->log, strerror(errno));
    flock(self->fd, LOCK_EX | LOCK_NB);
    return true;
}

void session_end(struct session *self) {
    if (self->fd < 0)
        return;
    unlink(self->log);
    close(self->fd);
    self->fd = -1;
}

/* ---- lines ---- */

static bool scan(const char **at, uint32_t *value) {
    char *end;
    if (**at < '0' || **at > '9')
        return false;
    unsigned long long number = strtoull(*at, &end, 10);
    if (number > UINT32_MAX || *end != ' ')
        return false;
    *value = (uint32_t)number;
    *at = end + 1;
    return true;
}

bool session_parse(const char *line, struct session_event *event) {
    if (!scan(&line, &event->pid) || !scan(&line, &event->number) || !scan(&line, &event->trigger))
        return false;
    size_t length = strlen(line);
    if (line[0] != '/' || length >= sizeof event->path)
        return false;
    memcpy(event->path, line, length + 1);
    return true;
}

bool session_next(struct session *self, struct session_event *event) {
    char line[PATH_MAX + 64];
    for (;;) {
        ssize_t got = pread(self->fd, line, sizeof line - 1, self->read_bytes);
        if (got <= 0)
            return false;
        char *end = memchr(line, '\n', (size_t)got);
        if (end == NULL && (size_t)got < sizeof line - 1)
            return false;
        if (end == NULL) { /* longer than any line of ours */
            self->read_bytes += got;
            continue;
        }
        *end = '\0';
        self->read_bytes += end - line + 1;
        if (session_parse(line, event))
            return true;
    }
}

/* ---- what is left behind ---- */

static bool is_log(const char *name) {
    size_t length = strlen(name);
    return strncmp(name, "session-", 8) == 0 && length > 4 && strcmp(name + length - 4, ".log") == 0;
}

/* A log that can be locked belongs to nobody. */
static void clean_one(int directory, const char *name) {
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (fd < 0)
        return;
    bool ours =
        fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (status.st_uid == geteuid() || geteuid() == 0);
    /* one that is younger may not be locked yet */
    if (ours && time(NULL) - status.st_mtime > 10 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        unlinkat(directory, name, 0);
    close(fd);
}

void session_clean(const char *directory) {
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *found;
    if (stream == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while ((found = readdir(stream)) != NULL)
        if (is_log(found->d_name))
            clean_one(fd, found->d_name);
    closedir(stream);
}
