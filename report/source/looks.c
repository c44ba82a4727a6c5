/* looks.c - see looks.h.
 * Owns:    nothing.
 * Threads: any.  Signals: no.  Heap: yes. */
#define _GNU_SOURCE
#include "looks.h"
#include "directory.h"
#include "process.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const kinds[] = {"look", "baseline", "growth", NULL};

bool looks_path(const struct ht_header *header, const char *kind, char path[PATH_MAX], struct error *error) {
    char directory[PATH_MAX];
    if (!directory_own(directory, sizeof directory, error) || !directory_create(directory, error))
        return false;
    int length = snprintf(path, PATH_MAX, "%s/%" PRIu32 ".%" PRIu64 ".%" PRIu32 ".%s", directory, header->pid,
                          header->start_ticks, header->exec_index, kind);
    return length < PATH_MAX || error_set(error, "%s: too long", directory);
}

static bool is_kind(const char *name) {
    for (const char *const *kind = kinds; *kind != NULL; kind++)
        if (strncmp(name, *kind, strlen(*kind)) == 0)
            return true;
    return false;
}

/* "PID.START.EXEC.KIND" of a process that is no more. */
static bool is_left(const char *name) {
    uint32_t pid, exec_index;
    uint64_t start, ticks = 0;
    int end = 0;
    if (sscanf(name, "%" SCNu32 ".%" SCNu64 ".%" SCNu32 ".%n", &pid, &start, &exec_index, &end) != 3 ||
        end == 0)
        return false;
    return is_kind(name + end) && !(process_alive(pid, &ticks) && ticks == start);
}

void looks_clean(const char *directory) {
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (stream == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    struct dirent *found;
    while ((found = readdir(stream)) != NULL)
        if (is_left(found->d_name))
            unlinkat(fd, found->d_name, 0);
    closedir(stream);
}
