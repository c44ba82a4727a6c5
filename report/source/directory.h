/* directory.h - the directories in which processes keep their live images. */
#ifndef HEAPTALLY_REPORT_DIRECTORY_H
#define HEAPTALLY_REPORT_DIRECTORY_H

#include "error.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum image_state {
    IMAGE_RUNNING,
    IMAGE_DEAD,     /* no process has its pid and start time */
    IMAGE_REPLACED, /* its process lives, and has called exec since */
};

struct image_entry {
    uint32_t pid;
    uint64_t start_ticks;
    uint32_t exec_index;
    enum image_state state;
    uint64_t held_bytes; /* what it takes of its file system */
    int64_t modified_ns;
    char name[80];
};

struct image_list {
    char directory[PATH_MAX];
    struct image_entry *entries; /* owned; oldest first */
    size_t count;
};

/* "PID.START.EXEC.htimage" -> its three numbers. */
bool directory_parse_name(const char *name, struct image_entry *entry);

/* HEAPTALLY_DIR, made absolute, or the default directory of the calling user. */
bool directory_own(char *path, size_t path_bytes, struct error *error);

/* The default directory of a user. */
void directory_of_user(uid_t user, char *path, size_t path_bytes);

/* Lists the images in `path` that belong to the caller (root: to anybody). A directory that does not
 * exist is an empty list; one that others can write to is an error. */
bool directory_list(const char *path, struct image_list *list, struct error *error);
void directory_list_free(struct image_list *list);

/* Writes "directory/name" of an entry. */
void directory_path(const struct image_list *list, const struct image_entry *entry, char *path,
                    size_t path_bytes);

/* Opens an entry for reading, without following links; -1 when that fails. */
int directory_open(const struct image_list *list, const struct image_entry *entry);

/* Removes an entry's file; false with errno. */
bool directory_remove(const struct image_list *list, const struct image_entry *entry);

/* Creates `path`, mode 0700, unless it is there; checks whose it is. */
bool directory_create(const char *path, struct error *error);

#endif
