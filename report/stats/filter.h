/* filter.h - what a query leaves out: tracemalloc's Filter and DomainFilter, and what native code has beside.
 *
 * As in Snapshot.filter_traces(), a trace stays if any inclusive filter of places and domains takes it (or
 * there is none) and every exclusive one lets it pass. So a place or a domain is one list: more inclusive
 * filters mean more traces. Scopes, tags, threads, kinds, functions, modules and sizes are lists of their
 * own, and a trace must pass each list. */
#ifndef HEAPTALLY_REPORT_FILTER_H
#define HEAPTALLY_REPORT_FILTER_H

#include "traces.h"
#include "wildcard.h"

enum filter_kind {
    FILTER_PLACE,    /* a pattern of files, perhaps one line or one domain */
    FILTER_DOMAIN,   /* a number, or a name */
    FILTER_SCOPE,    /* a pattern of whole names of scopes, which takes what is nested too; or none */
    FILTER_TAG,      /* a pattern of tags, or none */
    FILTER_THREAD,   /* a number; traces must be by thread */
    FILTER_KIND,     /* an enum kind */
    FILTER_FUNCTION, /* a pattern of functions, with or without types */
    FILTER_MODULE,   /* a pattern of modules, with or without their directory */
    FILTER_SIZE, /* bytes that a stack must hold by the metric; the sizes of single blocks are not known */
};

struct filter {
    enum filter_kind kind;
    bool exclusive;
    bool all_frames; /* any frame may match, not only the one that a row names */
    bool python;     /* .pyc is .py, as in tracemalloc's _normalize_filename() */
    bool has_line, has_domain;
    uint32_t line;
    const char *name;         /* of a domain; null: it is by number. Borrowed */
    uint64_t number;          /* domain, thread or bytes; the domain of a place */
    struct wildcard *pattern; /* of places, functions, modules, scopes and tags; owned. Null: without scope or
                               * tag, where a pattern matches nothing */
};

struct filters {
    struct filter *items; /* owned */
    size_t count;
};

/* Makes a pattern filter's pattern. False when out of memory. */
bool filter_set_pattern(struct filter *self, const char *pattern, size_t length);
void filters_free(struct filters *self);

/* Whether there is a filter of a kind. */
bool filters_have(const struct filters *self, enum filter_kind kind);

/* Whether trace number `trace`, of which rows count `size` bytes and name the frame that `blame` chooses,
 * stays. False when out of memory. */
bool filters_accept(const struct filters *self, struct traces *traces, size_t trace, int64_t size,
                    const struct blame *blame, bool *accepted);

#endif
