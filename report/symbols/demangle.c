/* demangle.c - which demangler a name is given to, and how long its answer may become.
 * Owns:    nothing.
 * Holds:   a name without a known prefix is never touched, so C names stay plain. A few hundred bytes of a
 * name made to hurt can stand for terabytes of text: the output is collected up to a limit and then
 * abandoned. Threads: any.   Heap: yes, every failure returned. */
#include "demangle.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <libiberty/demangle.h>

/* Beyond its default of 1024 bytes libiberty must be told to go on; its recursion is then bounded by the
 * length. */
#define LONGEST_NAME   8192
#define LONGEST_D_NAME 1024 /* no way to stop that demangler half-way */
#define LONGEST_RESULT 65536

#define OPTIONS        (DMGL_PARAMS | DMGL_ANSI)

typedef int demangler(const char *name, int options, demangle_callbackref callback, void *opaque);

struct output {
    char *text; /* LONGEST_RESULT + 1 bytes */
    size_t length;
    jmp_buf too_long;
};

/* The demanglers keep what they need on the stack, so leaving them by a jump loses nothing. */
static void collect(const char *part, size_t length, void *opaque) {
    struct output *out = opaque;
    if (length > LONGEST_RESULT - out->length)
        longjmp(out->too_long, 1);
    if (length != 0) /* nothing may come as a null pointer, which memcpy must not be given */
        memcpy(out->text + out->length, part, length);
    out->length += length;
}

/* Returns 1 if `name` was one of this demangler's. */
static int run(demangler *function, const char *name, struct output *out) {
    out->length = 0;
    if (setjmp(out->too_long))
        return 0;
    return function(name, OPTIONS | DMGL_NO_RECURSE_LIMIT, collect, out);
}

/* Rust first: its older scheme is a C++ name with a hash at the end. */
static char *demangle_cxx_or_rust(const char *name) {
    struct output *out = malloc(sizeof *out);
    char *text = NULL;
    if (!out)
        return NULL;
    out->text = malloc(LONGEST_RESULT + 1);
    if (out->text && (run(rust_demangle_callback, name, out) || run(cplus_demangle_v3_callback, name, out)))
        text = strndup(out->text, out->length);
    free(out->text);
    free(out);
    return text;
}

/* "_Dmain", or "_D" and the length of the first part of the name. */
static int looks_like_d(const char *name) {
    return name[0] == '_' && name[1] == 'D' &&
           ((name[2] >= '0' && name[2] <= '9') || !strcmp(name, "_Dmain"));
}

static int looks_like_cxx_or_rust(const char *name) {
    return !strncmp(name, "_Z", 2) || !strncmp(name, "_R", 2) || !strncmp(name, "__Z", 3);
}

char *demangle(const char *name) {
    size_t length = strnlen(name, LONGEST_NAME + 1);
    if (looks_like_d(name))
        return length <= LONGEST_D_NAME ? cplus_demangle(name, DMGL_DLANG | OPTIONS) : NULL;
    if (looks_like_cxx_or_rust(name))
        return length <= LONGEST_NAME ? demangle_cxx_or_rust(name) : NULL;
    return NULL;
}
