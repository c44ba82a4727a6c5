/* source_line.c - see source_line.h.
 * Owns:    the contents of the files that were asked for.
 * Holds:   each file is read at most once, regular files only: a FIFO of that name would wait for ever.
 * Threads: one.  Signals: no.  Heap: yes. */
#define _GNU_SOURCE
#include "source_line.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX ((off_t)64 << 20)

struct file {
    struct file *next;
    char *path;
    char *bytes; /* null: not readable */
    size_t size;
    size_t *starts; /* of lines */
    size_t lines;
};

struct source_lines {
    struct file *files;
};

struct source_lines *source_lines_new(void) {
    return calloc(1, sizeof(struct source_lines));
}

void source_lines_free(struct source_lines *self) {
    if (self == NULL)
        return;
    for (struct file *file = self->files, *next; file != NULL; file = next) {
        next = file->next;
        free(file->path);
        free(file->bytes);
        free(file->starts);
        free(file);
    }
    free(self);
}

static void read_open(struct file *file, int fd) {
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size > FILE_BYTES_MAX)
        return;
    char *bytes = malloc((size_t)status.st_size + 1);
    if (bytes == NULL)
        return;
    ssize_t got;
    while ((off_t)file->size < status.st_size &&
           (got = read(fd, bytes + file->size, (size_t)status.st_size - file->size)) > 0)
        file->size += (size_t)got;
    file->bytes = bytes;
}

static void find_lines(struct file *file) {
    size_t count = 1;
    for (size_t i = 0; i < file->size; i++)
        count += file->bytes[i] == '\n';
    file->starts = malloc((count + 1) * sizeof *file->starts);
    if (file->starts == NULL)
        return;
    file->starts[0] = 0;
    for (size_t i = 0, line = 1; i < file->size; i++)
        if (file->bytes[i] == '\n')
            file->starts[line++] = i + 1;
    file->starts[count] = file->size;
    file->lines = count;
}

static struct file *load(const char *path) {
    struct file *file = calloc(1, sizeof *file);
    if (file == NULL)
        return NULL;
    file->path = strdup(path);
    if (file->path == NULL) {
        free(file);
        return NULL;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return file;
    read_open(file, fd);
    close(fd);
    if (file->bytes != NULL)
        find_lines(file);
    return file;
}

/* The file asked for moves to the front: rows of one file come in groups. */
static struct file *find(struct source_lines *self, const char *path) {
    for (struct file **at = &self->files; *at != NULL; at = &(*at)->next)
        if (strcmp((*at)->path, path) == 0) {
            struct file *file = *at;
            *at = file->next;
            file->next = self->files;
            return self->files = file;
        }
    struct file *file = load(path);
    if (file != NULL) {
        file->next = self->files;
        self->files = file;
    }
    return file;
}

static int blank(char byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* The line with its newline; null when there is none. */
static const char *find_line(struct source_lines *self, const char *path, uint32_t line, const char **end) {
    if (self == NULL || line == 0 || path[0] != '/')
        return NULL;
    const struct file *file = find(self, path);
    if (file == NULL || line > file->lines)
        return NULL;
    *end = file->bytes + file->starts[line];
    return file->bytes + file->starts[line - 1];
}

const char *source_lines_get(struct source_lines *self, const char *path, uint32_t line, size_t *length) {
    const char *end, *start = find_line(self, path, line, &end);
    if (start == NULL)
        return NULL;
    while (start < end && blank(*start))
        start++;
    while (start < end && blank(end[-1]))
        end--;
    *length = (size_t)(end - start);
    return start < end ? start : NULL;
}

const char *source_lines_whole(struct source_lines *self, const char *path, uint32_t line, size_t *length) {
    const char *end, *start = find_line(self, path, line, &end);
    if (start == NULL)
        return NULL;
    while (start < end && (end[-1] == '\n' || end[-1] == '\r'))
        end--;
    *length = (size_t)(end - start);
    return start;
}

uint32_t source_lines_count(struct source_lines *self, const char *path) {
    const struct file *file = self != NULL && path[0] == '/' ? find(self, path) : NULL;
    if (file == NULL || file->lines == 0)
        return 0;
    bool whole = file->size != 0 && file->bytes[file->size - 1] == '\n';
    size_t lines = file->lines - (whole || file->size == 0);
    return lines < UINT32_MAX - 1 ? (uint32_t)lines : UINT32_MAX - 1;
}
