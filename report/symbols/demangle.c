/* demangle.c - which demangler a name is given to.
 * Owns:    nothing.   Holds: a name without a known prefix is never touched, so C names stay plain.
 * Threads: any.   Heap: yes, through libiberty. */
#include "demangle.h"

#include <stdlib.h>
#include <string.h>

#include <libiberty/demangle.h>

/* Longer names only occur in files made to hurt: the output may grow much faster than the input. */
#define LONGEST_NAME 32768

/* "_Dmain", or "_D" and the length of the first part of the name. */
static int looks_like_d(const char *name)
{
    return name[0] == '_' && name[1] == 'D' &&
           ((name[2] >= '0' && name[2] <= '9') || !strcmp(name, "_Dmain"));
}

static int looks_like_cxx_or_rust(const char *name)
{
    return !strncmp(name, "_Z", 2) || !strncmp(name, "_R", 2) || !strncmp(name, "__Z", 3);
}

char *demangle(const char *name)
{
    if (strnlen(name, LONGEST_NAME + 1) > LONGEST_NAME)
        return NULL;
    if (looks_like_d(name))
        return cplus_demangle(name, DMGL_DLANG | DMGL_PARAMS | DMGL_ANSI);
    if (looks_like_cxx_or_rust(name))
        return cplus_demangle(name, DMGL_AUTO | DMGL_PARAMS | DMGL_ANSI);
    return NULL;
}
