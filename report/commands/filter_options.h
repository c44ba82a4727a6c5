/* filter_options.h - the filters of top and diff as options -> filters of a query. */
#ifndef HEAPTALLY_REPORT_FILTER_OPTIONS_H
#define HEAPTALLY_REPORT_FILTER_OPTIONS_H

#include "options.h"
#include "../stats/filter.h"

struct filter_options {
    struct option_list include, exclude; /* PATTERN[:LINE][@DOMAIN] */
    struct option_list domain, exclude_domain, scope, exclude_scope, tag, exclude_tag;
    struct option_list thread, kind, function, module;
    uint64_t min_size;
    bool all_frames;
};

/* Rows of an option table; `f` is a struct filter_options. */
#define FILTER_OPTIONS(f)                                                                                    \
    {.name = "include",                                                                                      \
     .kind = OPTION_LIST,                                                                                    \
     .value = &(f).include,                                                                                  \
     .argument = "PATTERN[:LINE]",                                                                           \
     .help = "only files that match, * crosses / (repeatable: any of them)"},                                \
        {.name = "exclude",                                                                                  \
         .kind = OPTION_LIST,                                                                                \
         .value = &(f).exclude,                                                                              \
         .argument = "PATTERN[:LINE]",                                                                       \
         .help = "no files that match (repeatable: none of them)"},                                          \
        {.name = "all-frames",                                                                               \
         .kind = OPTION_FLAG,                                                                                \
         .value = &(f).all_frames,                                                                           \
         .help = "patterns look at every frame, not at the one that a row names"},                           \
        {.name = "domain",                                                                                   \
         .kind = OPTION_LIST,                                                                                \
         .value = &(f).domain,                                                                               \
         .argument = "D",                                                                                    \
         .help = "only this domain, by number or name (heap, mmap), or what --include takes (repeatable)"},  \
        {.name = "exclude-domain",                                                                           \
         .kind = OPTION_LIST,                                                                                \
         .value = &(f).exclude_domain,                                                                       \
         .argument = "D",                                                                                    \
         .help = "not this domain (repeatable)"},                                                            \
        {.name = "scope",                                                                                    \
         .kind = OPTION_LIST,                                                                                \
         .value = &(f).scope,                                                                                \
         .argument = "PATTERN",                                                                              \
         .help = "only scopes that match, OUTER/INNER, and those inside; '' is no scope (repeatable)"},      \
        {.name = "exclude-scope",                                                                            \
         .kind = OPTION_LIST,                                                                                \
         .value = &(f).exclude_scope,                                                                        \
         .argument = "PATTERN",                                                                              \
         .help = "no such scopes (repeatable)"},                                                             \
        {.name = "tag",                                                                                      \
         .kind = OPTION_LIST,                                                                                \
         .value = &(f).tag,                                                                                  \
         .argument = "PATTERN",                                                                              \
         .help = "only tags that match; '' is no tag (repeatable)"},                                         \
        {.name = "exclude-tag",                                                                              \
         .kind = OPTION_LIST,                                                                                \
         .value = &(f).exclude_tag,                                                                          \
         .argument = "PATTERN",                                                                              \
         .help = "no such tags (repeatable)"},                                                               \
        {.name = "thread",                                                                                   \
         .kind = OPTION_LIST,                                                                                \
         .value = &(f).thread,                                                                               \
         .argument = "TID",                                                                                  \
         .help = "only what this thread allocated or freed (repeatable)"},                                   \
        {.name = "kind",                                                                                     \
         .kind = OPTION_LIST,                                                                                \
         .value = &(f).kind,                                                                                 \
         .argument = "KIND",                                                                                 \
         .help = "only malloc, new, new[], rust, other or unknown (repeatable)"},                            \
        {.name = "function",                                                                                 \
         .kind = OPTION_LIST,                                                                                \
         .value = &(f).function,                                                                             \
         .argument = "PATTERN",                                                                              \
         .help = "only functions that match (repeatable)"},                                                  \
        {.name = "module",                                                                                   \
         .kind = OPTION_LIST,                                                                                \
         .value = &(f).module,                                                                               \
         .argument = "PATTERN",                                                                              \
         .help = "only programs and libraries that match (repeatable)"},                                     \
    {                                                                                                        \
        .name = "min-size", .kind = OPTION_BYTES, .value = &(f).min_size, .argument = "BYTES",               \
        .help = "only stacks that hold at least so much"                                                     \
    }

/* Makes the filters that options ask for; `command` is for messages, `python` for the names of files as
 * tracemalloc takes them. Free with filters_free. */
bool filter_options_make(const struct filter_options *options, const char *command, bool python,
                         struct filters *filters, struct error *error);
void filter_options_free(struct filter_options *options);

#endif
