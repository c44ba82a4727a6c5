/* kind.c - see kind.h.
 * Owns:    nothing.
 * Threads: any.  Signals: yes.  Heap: no. */
#include "kind.h"

#include <stddef.h>
#include <string.h>

const char *const kind_names[] = {"unknown", "malloc", "new", "new[]", "rust", "other", NULL};

static const char *const mallocs[] = {
    "malloc",        "calloc",         "realloc", "reallocarray", "memalign",
    "aligned_alloc", "posix_memalign", "valloc",  "pvalloc",      NULL};

/* What compilers call, the default behind it, and a program's own (#[global_allocator]). */
static const char *const rusts[] = {
    "__rust_alloc",  "__rust_alloc_zeroed", "__rust_realloc",    "__rdl_alloc",  "__rdl_alloc_zeroed",
    "__rdl_realloc", "__rg_alloc",          "__rg_alloc_zeroed", "__rg_realloc", NULL};

static bool is_one_of(const char *name, const char *const *names) {
    while (*names != NULL && strcmp(name, *names) != 0)
        names++;
    return *names != NULL;
}

static bool begins(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

/* Rust 1.87 and later have them in a namespace. */
static const char *without_rustc(const char *function) {
    static const char space[] = "__rustc::";
    return begins(function, space) ? function + sizeof space - 1 : function;
}

enum kind kind_of_function(const char *function) {
    if (begins(function, "operator new[]("))
        return KIND_NEW_ARRAY;
    if (begins(function, "operator new("))
        return KIND_NEW;
    if (is_one_of(function, mallocs))
        return KIND_MALLOC;
    return is_one_of(without_rustc(function), rusts) ? KIND_RUST : KIND_UNKNOWN;
}
