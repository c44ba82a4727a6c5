/* blame.h - which frame of a stack a row names: the newest one that is not an allocator, a container or
 * a wrapper around these. If every frame is, the newest. */
#ifndef HEAPTALLY_REPORT_BLAME_H
#define HEAPTALLY_REPORT_BLAME_H

#include "frames.h"

struct blame {
    bool raw;                 /* the newest frame, whatever it is */
    const char *const *extra; /* the user's patterns, for functions and files alike */
    size_t extra_count;
    const char *const *kept; /* the user's, of what is never passed over */
    size_t kept_count;
};

/* The patterns of a blame, compiled: they are those of wildcard.h. */
struct blame_judge;

/* Null when out of memory. Nothing of `blame` is kept. */
struct blame_judge *blame_judge_new(const struct blame *blame);
void blame_judge_free(struct blame_judge *self);

/* Whether a frame is passed over. Functions are matched by their qualified name, without return type and
 * arguments; files by their path; `*` crosses `/` and `::`. */
bool blame_skips(const struct blame_judge *self, const struct frame *frame);

/* The built-in patterns, null-terminated, for --help. */
const char *const *blame_functions(void);
const char *const *blame_files(void);

/* Copies the qualified name in a demangled function: "void std::f<int>(int) const" -> "std::f<int>". */
void blame_qualified_name(const char *function, char *name, size_t name_bytes);

#endif
