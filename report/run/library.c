/* library.c - see library.h.
 * Owns:    nothing.
 * Threads: any.  Signals: no.  Heap: no. */
#define _GNU_SOURCE
#include "library.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* From the directory of the command: the build tree, then the installation. */
static const char *const places[] = {"../preload/libheaptally.so",
                                     HEAPTALLY_LIBRARY_FROM_BIN "/libheaptally.so"};

static bool own_directory(char path[PATH_MAX]) {
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
    if (length <= 0)
        return false;
    path[length] = '\0';
    *strrchr(path, '/') = '\0';
    return true;
}

/* ld.so(8): the items of LD_PRELOAD are separated by blanks or colons, without escaping. */
static bool can_be_preloaded(const char *path, struct error *error) {
    if (strpbrk(path, ": ") == NULL)
        return true;
    return error_set(error, "run: %s: LD_PRELOAD cannot name a path with a blank or a colon in it; move it",
                     path);
}

static bool use(const char *candidate, char path[PATH_MAX]) {
    return realpath(candidate, path) != NULL && access(path, R_OK) == 0;
}

bool library_find(char path[PATH_MAX], struct error *error) {
    const char *given = getenv("HEAPTALLY_LIBRARY");
    char directory[PATH_MAX], candidate[2][PATH_MAX + 256];
    if (given != NULL && given[0] != '\0') {
        if (use(given, path))
            return can_be_preloaded(path, error);
        return error_set(error, "run: HEAPTALLY_LIBRARY=%s: %s", given, strerror(errno));
    }
    if (!own_directory(directory))
        return error_set(error,
                         "run: /proc/self/exe cannot be read; set HEAPTALLY_LIBRARY to libheaptally.so");
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(candidate[i], sizeof candidate[i], "%s/%s", directory, places[i]);
        if (use(candidate[i], path))
            return can_be_preloaded(path, error);
    }
    return error_set(error,
                     "run: libheaptally.so is not there; looked at %s and %s; HEAPTALLY_LIBRARY can name it",
                     candidate[0], candidate[1]);
}
