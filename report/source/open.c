/* open.c - see open.h.
 * Owns:    the tables of an open source.
 * Threads: one.  Signals: no.  Heap: yes. */
#define _GNU_SOURCE
#include "open.h"
#include "directory.h"
#include "image.h"
#include "process.h"
#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool source_is_pid(const char *name, uint32_t *pid) {
    size_t length = strlen(name);
    if (length == 0 || length > 10 || strspn(name, "0123456789") != length)
        return false;
    unsigned long long value = strtoull(name, NULL, 10);
    *pid = (uint32_t)value;
    return value != 0 && value <= UINT32_MAX;
}

static bool read_image(struct source *self, bool running, struct error *error) {
    self->kind = running ? SOURCE_RUNNING : SOURCE_DEAD;
    self->tables = image_read(self->path, running, error);
    return self->tables != NULL;
}

/* ---- by pid ---- */

/* The entry of `pid` to read: the running one, else the youngest. Entries come oldest first. */
static const struct image_entry *choose(const struct image_list *list, uint32_t pid) {
    const struct image_entry *best = NULL;
    for (size_t i = 0; i < list->count; i++) {
        const struct image_entry *entry = &list->entries[i];
        if (entry->pid == pid && (best == NULL || best->state != IMAGE_RUNNING))
            best = entry;
    }
    return best;
}

/* Looks in one directory. Returns 1 when found and read, 0 when not there, -1 on an error. */
static int try_directory(struct source *self, const char *directory, uint32_t pid, struct error *error) {
    struct image_list list;
    if (!directory_list(directory, &list, error))
        return -1;
    const struct image_entry *entry = choose(&list, pid);
    int result = 0;
    if (entry != NULL) {
        bool running = entry->state == IMAGE_RUNNING;
        directory_path(&list, entry, self->path, sizeof self->path);
        if (!running)
            snprintf(self->note, sizeof self->note,
                     "process %" PRIu32 " has ended; this is the image that it left", pid);
        result = read_image(self, running, error) ? 1 : -1;
    }
    directory_list_free(&list);
    return result;
}

static bool mapped(struct source *self, uint32_t pid, struct error *error) {
    return process_mapped_image(pid, self->path, sizeof self->path) && read_image(self, true, error);
}

static bool not_found(uint32_t pid, const char *directory, struct error *error) {
    uint64_t ticks;
    if (process_alive(pid, &ticks))
        return error_set(error,
                         "process %" PRIu32
                         " is not traced, or keeps its image elsewhere (looked in %s; HEAPTALLY_DIR "
                         "names another directory); start it with: heaptally run PROGRAM",
                         pid, directory);
    return error_set(error, "no process %" PRIu32 ", and no image of one in %s (heaptally ps lists them)",
                     pid, directory);
}

static bool open_pid(struct source *self, uint32_t pid, struct error *error) {
    char directory[PATH_MAX];
    uid_t owner;
    if (!directory_own(directory, sizeof directory, error))
        return false;
    int found = try_directory(self, directory, pid, error);
    if (found == 0 && getenv("HEAPTALLY_DIR") == NULL && process_owner(pid, &owner) && owner != geteuid()) {
        directory_of_user(owner, directory, sizeof directory);
        found = try_directory(self, directory, pid, error);
    }
    if (found != 0)
        return found > 0;
    error->text[0] = '\0';
    if (mapped(self, pid, error))
        return true;
    return error->text[0] != '\0' ? false : not_found(pid, directory, error);
}

/* ---- by name ---- */

static bool read_kind(const char *path, struct ht_header *header, struct error *error) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return error_set(error, "%s: %s", path, strerror(errno));
    bool good = image_read_header(fd, path, header, error);
    close(fd);
    return good;
}

static bool open_file(struct source *self, const char *path, struct error *error) {
    static struct ht_header header;
    uint64_t ticks = 0;
    snprintf(self->path, sizeof self->path, "%s", path);
    if (!read_kind(path, &header, error))
        return false;
    if (header.kind == HT_KIND_IMAGE)
        return read_image(self, process_alive(header.pid, &ticks) && ticks == header.start_ticks, error);
    self->kind = SOURCE_SNAPSHOT;
    self->tables = snapshot_read(path, error);
    return self->tables != NULL;
}

bool source_open(struct source *self, const char *name, struct error *error) {
    uint32_t pid;
    memset(self, 0, sizeof *self);
    if (source_is_pid(name, &pid))
        return open_pid(self, pid, error);
    return open_file(self, name, error);
}

void source_close(struct source *self) {
    tables_free(self->tables);
    self->tables = NULL;
}
