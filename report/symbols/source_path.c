/* source_path.c - lexical normalisation of paths.
 * Owns:    nothing.   Holds: ".." at the front of a relative path stays.
 * Threads: any.   Heap: the result only. */
#include "source_path.h"

#include <stdlib.h>
#include <string.h>

struct path {
    char *text;
    size_t length; /* without a trailing slash, unless the path is "/" */
};

static int ends_with_parent(const struct path *path) {
    return path->length >= 2 && !memcmp(path->text + path->length - 2, "..", 2) &&
           (path->length == 2 || path->text[path->length - 3] == '/');
}

static void append(struct path *path, const char *part, size_t length) {
    if (path->length && path->text[path->length - 1] != '/')
        path->text[path->length++] = '/';
    memcpy(path->text + path->length, part, length);
    path->length += length;
}

static void go_up(struct path *path) {
    if (path->length == 1 && path->text[0] == '/')
        return;
    if (!path->length || ends_with_parent(path)) {
        append(path, "..", 2);
        return;
    }
    while (path->length && path->text[path->length - 1] != '/')
        path->length--;
    if (path->length > 1)
        path->length--;
}

static void walk(struct path *path, const char *rest) {
    while (*rest) {
        size_t length = strcspn(rest, "/");
        if (length == 2 && !memcmp(rest, "..", 2))
            go_up(path);
        else if (length && !(length == 1 && *rest == '.'))
            append(path, rest, length);
        rest += length + (rest[length] == '/');
    }
}

char *source_path(const char *directory, const char *name) {
    const char *first = name[0] == '/' || !directory ? "" : directory;
    struct path path = {malloc(strlen(first) + strlen(name) + 4), 0};
    if (!path.text)
        return NULL;
    if ((first[0] ? first : name)[0] == '/')
        path.text[path.length++] = '/';
    walk(&path, first);
    walk(&path, name);
    path.text[path.length] = '\0';
    return path.text;
}
