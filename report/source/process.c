/* process.c - see process.h.
 * Owns:    nothing.
 * Threads: any.  Signals: no.  Heap: yes (stdio). */
#define _GNU_SOURCE
#include "process.h"
#include "heaptally_format.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* proc(5): "pid (comm) state ppid ..."; the name may hold anything, so fields are counted from its last
 * parenthesis. The leader of a process may be a zombie while other threads live: field 20 counts them. */
bool process_parse_stat(const char *text, uint64_t *start_ticks, bool *alive) {
    const char *at = strrchr(text, ')');
    if (at == NULL || at[1] != ' ' || at[2] == '\0')
        return false;
    char state = at[2];
    long threads = 0;
    int field = 2;
    for (at++; *at == ' '; at += strcspn(at, " \n")) {
        at++;
        field++;
        if (field == 20)
            threads = strtol(at, NULL, 10);
        if (field == 22) {
            *start_ticks = strtoull(at, NULL, 10);
            *alive = (state != 'Z' && state != 'X') || threads > 1;
            return true;
        }
    }
    return false;
}

bool process_alive(uint32_t pid, uint64_t *start_ticks) {
    char path[64], text[2048];
    snprintf(path, sizeof path, "/proc/%" PRIu32 "/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    if (got <= 0)
        return false;
    text[got] = '\0';
    bool alive = false;
    return process_parse_stat(text, start_ticks, &alive) && alive;
}

bool process_owner(uint32_t pid, uid_t *owner) {
    char path[64];
    struct stat status;
    snprintf(path, sizeof path, "/proc/%" PRIu32, pid);
    if (stat(path, &status) != 0)
        return false;
    *owner = status.st_uid;
    return true;
}

/* The path in a line of maps, if it ends as an image's does. */
static char *image_in_line(char *line) {
    char *path = strchr(line, '/');
    if (path == NULL)
        return NULL;
    size_t length = strcspn(path, "\n"), suffix = strlen(HT_IMAGE_SUFFIX);
    path[length] = '\0';
    return length > suffix && strcmp(path + length - suffix, HT_IMAGE_SUFFIX) == 0 ? path : NULL;
}

bool process_image_in_maps(FILE *maps, char *path, size_t path_bytes) {
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    while (!found && getline(&line, &room, maps) > 0) {
        const char *image = image_in_line(line);
        found = image != NULL && strlen(image) < path_bytes;
        if (found)
            strcpy(path, image);
    }
    free(line);
    return found;
}

bool process_mapped_image(uint32_t pid, char *path, size_t path_bytes) {
    char name[64];
    snprintf(name, sizeof name, "/proc/%" PRIu32 "/maps", pid);
    FILE *maps = fopen(name, "re");
    if (maps == NULL)
        return false;
    bool found = process_image_in_maps(maps, path, path_bytes);
    fclose(maps);
    return found;
}
