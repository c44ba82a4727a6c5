/* directory.c - see directory.h.
 * Owns:    the list's entries.
 * Holds:   follows no link below the directory, touches no file of another user.
 * Threads: any.  Signals: no.  Heap: yes. */
#define _GNU_SOURCE
#include "directory.h"
#include "heaptally_format.h"
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool scan_number(const char **at, uint64_t limit, uint64_t *value) {
    if (**at < '0' || **at > '9')
        return false;
    char *end;
    errno = 0;
    *value = strtoull(*at, &end, 10);
    *at = end;
    return errno == 0 && *value <= limit;
}

bool directory_parse_name(const char *name, struct image_entry *entry) {
    uint64_t pid, exec_index;
    const char *at = name;
    if (strlen(name) >= sizeof entry->name || !scan_number(&at, UINT32_MAX, &pid) || *at++ != '.')
        return false;
    if (!scan_number(&at, UINT64_MAX, &entry->start_ticks) || *at++ != '.')
        return false;
    if (!scan_number(&at, UINT32_MAX, &exec_index) || strcmp(at, HT_IMAGE_SUFFIX) != 0)
        return false;
    entry->pid = (uint32_t)pid;
    entry->exec_index = (uint32_t)exec_index;
    strcpy(entry->name, name);
    return true;
}

void directory_of_user(uid_t user, char *path, size_t path_bytes) {
    struct stat status;
    const char *base = stat("/dev/shm", &status) == 0 ? "/dev/shm" : "/tmp";
    snprintf(path, path_bytes, "%s/heaptally-%u", base, (unsigned)user);
}

bool directory_own(char *path, size_t path_bytes, struct error *error) {
    const char *given = getenv("HEAPTALLY_DIR");
    char *here = NULL;
    int length;
    if (given == NULL || given[0] == '\0') {
        directory_of_user(geteuid(), path, path_bytes);
        return true;
    }
    if (given[0] != '/' && (here = getcwd(NULL, 0)) == NULL)
        return error_set(error, "HEAPTALLY_DIR=%s: the working directory is gone: %s", given,
                         strerror(errno));
    length = here != NULL ? snprintf(path, path_bytes, "%s/%s", here, given)
                          : snprintf(path, path_bytes, "%s", given);
    free(here);
    if (length < 0 || (size_t)length >= path_bytes)
        return error_set(error, "HEAPTALLY_DIR=%s: too long", given);
    return true;
}

/* ---- listing ---- */

static bool check_directory(int fd, const char *path, struct error *error) {
    struct stat status;
    if (fstat(fd, &status) != 0)
        return error_set(error, "%s: %s", path, strerror(errno));
    if (status.st_uid != geteuid() && geteuid() != 0)
        return error_set(error, "%s: belongs to another user (%u)", path, (unsigned)status.st_uid);
    if ((status.st_mode & 022) != 0)
        return error_set(error, "%s: others can write to it; chmod 700 it, or set HEAPTALLY_DIR", path);
    return true;
}

static void find_state(struct image_entry *entry) {
    uint64_t ticks = 0;
    bool lives = process_alive(entry->pid, &ticks) && ticks == entry->start_ticks;
    entry->state = lives ? IMAGE_RUNNING : IMAGE_DEAD;
}

static bool look_at(int directory, const char *name, struct image_entry *entry) {
    struct stat status;
    if (!directory_parse_name(name, entry) || fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    if (!S_ISREG(status.st_mode) || (status.st_uid != geteuid() && geteuid() != 0))
        return false;
    entry->held_bytes = (uint64_t)status.st_blocks * 512;
    entry->modified_ns = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
    find_state(entry);
    return true;
}

static bool append(struct image_list *list, const struct image_entry *entry, struct error *error) {
    if ((list->count & (list->count + 1)) == 0) { /* full at 0, 1, 3, 7, ... */
        void *more = realloc(list->entries, (2 * list->count + 1) * sizeof *entry);
        if (more == NULL)
            return error_out_of_memory(error);
        list->entries = more;
    }
    list->entries[list->count++] = *entry;
    return true;
}

static int by_age(const void *a, const void *b) {
    const struct image_entry *x = a, *y = b;
    if (x->modified_ns != y->modified_ns)
        return x->modified_ns < y->modified_ns ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int by_process(const void *a, const void *b) {
    const struct image_entry *x = a, *y = b;
    if (x->pid != y->pid)
        return x->pid < y->pid ? -1 : 1;
    if (x->start_ticks != y->start_ticks)
        return x->start_ticks < y->start_ticks ? -1 : 1;
    return x->exec_index < y->exec_index ? -1 : x->exec_index > y->exec_index;
}

/* exec keeps pid and start time: all but the last image of a living process are of what it was before. */
static void mark_replaced(struct image_list *list) {
    if (list->count == 0)
        return;
    qsort(list->entries, list->count, sizeof *list->entries, by_process);
    for (size_t i = 0; i + 1 < list->count; i++) {
        struct image_entry *entry = &list->entries[i], *next = entry + 1;
        if (entry->pid == next->pid && entry->start_ticks == next->start_ticks &&
            entry->state == IMAGE_RUNNING)
            entry->state = IMAGE_REPLACED;
    }
    qsort(list->entries, list->count, sizeof *list->entries, by_age);
}

static bool list_open(DIR *stream, struct image_list *list, struct error *error) {
    struct dirent *found;
    while ((found = readdir(stream)) != NULL) {
        struct image_entry entry;
        if (look_at(dirfd(stream), found->d_name, &entry) && !append(list, &entry, error))
            return false;
    }
    mark_replaced(list);
    return true;
}

bool directory_list(const char *path, struct image_list *list, struct error *error) {
    list->entries = NULL;
    list->count = 0;
    snprintf(list->directory, sizeof list->directory, "%s", path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return true;
    if (fd < 0)
        return error_set(error, "%s: %s", path, strerror(errno));
    if (!check_directory(fd, path, error)) {
        close(fd);
        return false;
    }
    DIR *stream = fdopendir(fd);
    if (stream == NULL) {
        close(fd);
        return error_out_of_memory(error);
    }
    bool done = list_open(stream, list, error);
    closedir(stream);
    if (!done)
        directory_list_free(list);
    return done;
}

void directory_list_free(struct image_list *list) {
    free(list->entries);
    list->entries = NULL;
    list->count = 0;
}

/* ---- entries ---- */

void directory_path(const struct image_list *list, const struct image_entry *entry, char *path,
                    size_t path_bytes) {
    snprintf(path, path_bytes, "%s/%s", list->directory, entry->name);
}

static int open_directory(const struct image_list *list) {
    return open(list->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int directory_open(const struct image_list *list, const struct image_entry *entry) {
    int directory = open_directory(list);
    if (directory < 0)
        return -1;
    int fd = openat(directory, entry->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    close(directory);
    return fd;
}

bool directory_remove(const struct image_list *list, const struct image_entry *entry) {
    int directory = open_directory(list);
    if (directory < 0)
        return false;
    bool done = unlinkat(directory, entry->name, 0) == 0;
    int why = errno;
    close(directory);
    errno = why;
    return done;
}

bool directory_create(const char *path, struct error *error) {
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return error_set(error, "%s: cannot be created: %s", path, strerror(errno));
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return error_set(error, "%s: %s", path, strerror(errno));
    bool good = check_directory(fd, path, error);
    close(fd);
    return good;
}
