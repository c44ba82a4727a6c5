/* blame_files.c - see blame_files.h.
 * Owns:    the patterns of files.
 * Threads: one.  Signals: no.  Heap: yes. */
#define _GNU_SOURCE
#include "blame_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROJECT_FILE ".heaptally-blame"

static bool append(struct blame_list *list, char *item) {
    char **more = realloc(list->items, (list->count + 1) * sizeof *more);
    if (more == NULL)
        return false;
    list->items = more;
    more[list->count++] = item;
    return true;
}

/* ---- where they are ---- */

static void find_user_file(char path[PATH_MAX]) {
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int length = -1;
    if (config != NULL && config[0] == '/')
        length = snprintf(path, PATH_MAX, "%s/heaptally/blame", config);
    else if (home != NULL && home[0] == '/')
        length = snprintf(path, PATH_MAX, "%s/.config/heaptally/blame", home);
    if (length < 0 || length >= PATH_MAX || access(path, F_OK) != 0)
        path[0] = '\0';
}

static void find_project_file(char path[PATH_MAX]) {
    char directory[PATH_MAX];
    path[0] = '\0';
    if (getcwd(directory, sizeof directory) == NULL)
        return;
    for (size_t length = strlen(directory); path[0] == '\0'; length = strlen(directory)) {
        int written = snprintf(path, PATH_MAX, "%s/" PROJECT_FILE, length > 1 ? directory : "");
        if (written >= PATH_MAX || access(path, F_OK) != 0)
            path[0] = '\0';
        if (length <= 1)
            return;
        char *slash = strrchr(directory, '/');
        slash[slash == directory] = '\0';
    }
}

/* ---- reading ---- */

static bool add_line(struct blame_file *self, const char *line) {
    bool keep = line[0] == '!';
    char *pattern = strdup(line + keep);
    if (pattern != NULL && append(keep ? &self->keep : &self->skip, pattern))
        return true;
    free(pattern);
    return false;
}

/* What of a line a pattern is read from: without its newline and the blanks at its end. */
static size_t trim(char *line, size_t length) {
    while (length > 0 && strchr(" \t\r\n", line[length - 1]) != NULL)
        line[--length] = '\0';
    return length;
}

static bool take_line(struct blame_file *self, char *line, size_t length, uint64_t number,
                      struct error *error) {
    if (strlen(line) != length)
        return error_set(error, "%s: line %" PRIu64 ": a NUL byte: this is no text", self->path, number);
    length = trim(line, length);
    if (length == 0 || line[0] == '#' || strcmp(line, "!") == 0)
        return true;
    return add_line(self, line) || error_out_of_memory(error);
}

static bool read_lines(struct blame_file *self, FILE *in, struct error *error) {
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    bool good = true;
    for (uint64_t number = 1; good && (length = getline(&line, &room, in)) >= 0; number++)
        good = take_line(self, line, (size_t)length, number, error);
    if (good && !feof(in)) /* a failed read, or a line for which there is no memory */
        good = error_set(error, "%s: %s", self->path, strerror(errno));
    free(line);
    return good;
}

/* A file of another kind, a pipe say, would be waited for. */
static FILE *open_regular(const char *path, struct error *error) {
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        error_set(error, "%s: %s", path, strerror(errno));
        return NULL;
    }
    FILE *in = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? fdopen(fd, "r") : NULL;
    if (in == NULL) {
        error_set(error, "%s: not a regular file", path);
        close(fd);
    }
    return in;
}

static bool read_file(struct blame_file *self, struct error *error) {
    if (self->path[0] == '\0')
        return true;
    FILE *in = open_regular(self->path, error);
    if (in == NULL)
        return false;
    bool done = read_lines(self, in, error);
    fclose(in);
    return done;
}

static bool join(struct blame_list *to, const struct blame_list *from) {
    for (size_t i = 0; i < from->count; i++)
        if (!append(to, from->items[i]))
            return false;
    return true;
}

bool blame_files_read(struct blame_files *self, struct error *error) {
    memset(self, 0, sizeof *self);
    find_user_file(self->of[BLAME_OF_USER].path);
    find_project_file(self->of[BLAME_OF_PROJECT].path);
    for (int i = 0; i < BLAME_ORIGINS; i++) {
        if (!read_file(&self->of[i], error))
            return false;
        if (!join(&self->skip, &self->of[i].skip) || !join(&self->keep, &self->of[i].keep))
            return error_out_of_memory(error);
    }
    return true;
}

static void free_items(struct blame_list *list) {
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
}

void blame_files_free(struct blame_files *self) {
    for (int i = 0; i < BLAME_ORIGINS; i++) {
        free_items(&self->of[i].skip);
        free_items(&self->of[i].keep);
    }
    free(self->skip.items);
    free(self->keep.items);
    memset(self, 0, sizeof *self);
}

bool blame_files_skip(struct blame_files *self, const char *pattern) {
    return append(&self->skip, (char *)pattern);
}

struct blame blame_files_blame(const struct blame_files *self) {
    return (struct blame){.extra = (const char *const *)self->skip.items,
                          .extra_count = self->skip.count,
                          .kept = (const char *const *)self->keep.items,
                          .kept_count = self->keep.count};
}
