/* filter.c - see filter.h.
 * Owns:    the patterns.
 * Threads: one.  Signals: no.  Heap: yes (patterns, frames looked up). */
#include "filter.h"

#include <stdlib.h>
#include <string.h>

/* What filters are asked about. */
struct candidate {
    struct traces *traces;
    size_t trace;
    int64_t size;
    const struct blame *blame;
    bool failed; /* out of memory */
};

bool filter_set_pattern(struct filter *self, const char *pattern, size_t length) {
    static const char compiled[] = ".pyc";
    size_t suffix = sizeof compiled - 1;
    bool cut = self->python && length >= suffix && memcmp(pattern + length - suffix, compiled, suffix) == 0;
    self->pattern = wildcard_new(pattern, length - cut);
    return self->pattern != NULL;
}

void filters_free(struct filters *self) {
    for (size_t i = 0; i < self->count; i++)
        wildcard_free(self->items[i].pattern);
    free(self->items);
    memset(self, 0, sizeof *self);
}

bool filters_have(const struct filters *self, enum filter_kind kind) {
    for (size_t i = 0; i < self->count; i++)
        if (self->items[i].kind == kind)
            return true;
    return false;
}

/* ---- one frame ---- */

static bool matches(const struct filter *self, const char *text) {
    size_t length = strlen(text);
    bool cut = self->python && length >= 4 && strcmp(text + length - 4, ".pyc") == 0;
    return wildcard_matches(self->pattern, text, length - cut);
}

static bool matches_function(const struct filter *self, const char *function) {
    char name[1024];
    if (function == NULL)
        return false;
    blame_qualified_name(function, name, sizeof name);
    return matches(self, function) || matches(self, name);
}

static bool matches_module(const struct filter *self, const char *module) {
    const char *slash = strrchr(module, '/');
    return matches(self, module) || (slash != NULL && matches(self, slash + 1));
}

static bool matches_frame(const struct filter *self, const struct frame *frame) {
    if (self->kind == FILTER_FUNCTION)
        return matches_function(self, frame->function);
    if (self->kind == FILTER_MODULE)
        return matches_module(self, frame->module);
    return (!self->has_line || frame->line == self->line) &&
           matches(self, frame->file != NULL ? frame->file : frame->module);
}

/* ---- one trace ---- */

static bool matches_any(const struct filter *self, struct candidate *candidate) {
    const frame_id *ids;
    size_t count;
    if (!traces_frames(candidate->traces, candidate->trace, &ids, &count)) {
        candidate->failed = true;
        return false;
    }
    for (size_t i = 0; i < count; i++)
        if (matches_frame(self, frames_get(traces_frame_table(candidate->traces), ids[i])))
            return true;
    return false;
}

static bool matches_named(const struct filter *self, struct candidate *candidate) {
    frame_id id;
    if (!traces_blamed(candidate->traces, candidate->trace, candidate->blame, &id)) {
        candidate->failed = true;
        return false;
    }
    return matches_frame(self, frames_get(traces_frame_table(candidate->traces), id));
}

static bool matches_domain(const struct filter *self, const struct candidate *candidate) {
    if (self->name != NULL)
        return strcmp(traces_domain_name(candidate->traces, candidate->trace), self->name) == 0;
    return traces_domain(candidate->traces, candidate->trace) == self->number;
}

/* A scope is inside of those that its name begins with. */
static bool matches_scope(const struct filter *self, const char *scope) {
    for (const char *end = scope; *scope != '\0' && self->pattern != NULL && end != NULL;) {
        end = strchr(end, '/');
        size_t length = end != NULL ? (size_t)(end++ - scope) : strlen(scope);
        if (wildcard_matches(self->pattern, scope, length))
            return true;
    }
    return *scope == '\0' && self->pattern == NULL;
}

static bool matches_tag(const struct filter *self, const char *tag) {
    if (*tag == '\0' || self->pattern == NULL)
        return *tag == '\0' && self->pattern == NULL;
    return wildcard_matches(self->pattern, tag, strlen(tag));
}

static bool is_of_kind(const struct filter *self, struct candidate *candidate) {
    enum kind kind;
    if (!traces_kind(candidate->traces, candidate->trace, &kind))
        candidate->failed = true;
    return !candidate->failed && kind == self->number;
}

static bool matches_trace(const struct filter *self, struct candidate *candidate) {
    switch (self->kind) {
    case FILTER_DOMAIN: return matches_domain(self, candidate);
    case FILTER_SCOPE: return matches_scope(self, traces_scope(candidate->traces, candidate->trace));
    case FILTER_TAG: return matches_tag(self, traces_tag(candidate->traces, candidate->trace));
    case FILTER_THREAD: return traces_thread(candidate->traces, candidate->trace) == self->number;
    case FILTER_KIND: return is_of_kind(self, candidate);
    case FILTER_SIZE: return candidate->size >= 0 && (uint64_t)candidate->size >= self->number;
    default: return self->all_frames ? matches_any(self, candidate) : matches_named(self, candidate);
    }
}

/* As tracemalloc's Filter._match(): an exclusive filter with a domain concerns that domain alone. */
static bool passes(const struct filter *self, struct candidate *candidate) {
    bool result = matches_trace(self, candidate) != self->exclusive;
    if (!self->has_domain)
        return result;
    bool same = traces_domain(candidate->traces, candidate->trace) == self->number;
    return self->exclusive ? result || !same : result && same;
}

/* ---- all filters ---- */

static bool one_list(enum filter_kind a, enum filter_kind b) {
    return a == b || (a <= FILTER_DOMAIN && b <= FILTER_DOMAIN);
}

static bool included(const struct filters *self, enum filter_kind list, struct candidate *candidate) {
    bool asked = false;
    for (size_t i = 0; i < self->count; i++) {
        const struct filter *filter = &self->items[i];
        if (filter->exclusive || !one_list(filter->kind, list))
            continue;
        asked = true;
        if (passes(filter, candidate))
            return true;
    }
    return !asked;
}

static bool excluded(const struct filters *self, struct candidate *candidate) {
    for (size_t i = 0; i < self->count; i++)
        if (self->items[i].exclusive && !passes(&self->items[i], candidate))
            return true;
    return false;
}

bool filters_accept(const struct filters *self, struct traces *traces, size_t trace, int64_t size,
                    const struct blame *blame, bool *accepted) {
    struct candidate candidate = {traces, trace, size, blame, false};
    *accepted = true;
    for (int list = FILTER_DOMAIN; *accepted && list <= FILTER_SIZE; list++)
        *accepted = included(self, (enum filter_kind)list, &candidate);
    *accepted = *accepted && !excluded(self, &candidate);
    return !candidate.failed;
}
