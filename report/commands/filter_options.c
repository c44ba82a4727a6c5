/* filter_options.c - see filter_options.h.
 * Owns:    the filters, until they are handed over.
 * Threads: any.  Signals: no.  Heap: yes. */
#include "filter_options.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct making {
    const char *command;
    bool python, all_frames;
    struct filters *filters;
    struct error *error;
};

/* A list of one option, and what its items become. */
struct rule {
    const char *option;
    const struct option_list *list;
    enum filter_kind kind;
    bool exclusive;
};

/* Cuts "MARK digits" off the end of text[0..*length). */
static bool cut_number(const char *text, size_t *length, char mark, uint64_t *number) {
    size_t at = *length;
    while (at > 0 && text[at - 1] >= '0' && text[at - 1] <= '9')
        at--;
    if (at == *length || at == 0 || text[at - 1] != mark)
        return false;
    *number = strtoull(text + at, NULL, 10);
    *length = at - 1;
    return true;
}

static bool too_large(const struct making *making, const struct rule *rule, const char *text,
                      const char *what, uint64_t limit) {
    return error_set(making->error, "%s: --%s %s: %s is at most %" PRIu64, making->command, rule->option,
                     text, what, limit);
}

static bool fill_place(const struct making *making, const struct rule *rule, const char *text,
                       struct filter *filter) {
    size_t length = strlen(text);
    uint64_t line = 0;
    filter->has_domain = cut_number(text, &length, '@', &filter->number);
    filter->has_line = cut_number(text, &length, ':', &line);
    if (filter->number > UINT32_MAX)
        return too_large(making, rule, text, "a domain", UINT32_MAX);
    if (line > UINT32_MAX)
        return too_large(making, rule, text, "a line", UINT32_MAX);
    filter->line = (uint32_t)line;
    return filter_set_pattern(filter, text, length) || error_out_of_memory(making->error);
}

static bool fill_number(const struct making *making, const struct rule *rule, const char *text,
                        struct filter *filter) {
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 18 || text[digits] != '\0')
        return error_set(making->error, "%s: --%s %s: it must be a whole number%s", making->command,
                         rule->option, text, rule->kind == FILTER_DOMAIN ? ", or a domain's name" : "");
    filter->number = strtoull(text, NULL, 10);
    return true;
}

/* A name begins with no digit, so that a number with a slip is not taken for one. */
static bool fill_domain(const struct making *making, const struct rule *rule, const char *text,
                        struct filter *filter) {
    if (text[0] == '\0' || (text[0] >= '0' && text[0] <= '9'))
        return fill_number(making, rule, text, filter);
    filter->name = text;
    return true;
}

/* No name is empty: that asks for what has none. */
static bool fill_name(const struct making *making, const char *text, struct filter *filter) {
    if (text[0] == '\0')
        return true;
    filter->pattern = wildcard_new(text, strlen(text));
    return filter->pattern != NULL || error_out_of_memory(making->error);
}

static bool fill_kind(const struct making *making, const struct rule *rule, const char *text,
                      struct filter *filter) {
    for (filter->number = 0; kind_names[filter->number] != NULL; filter->number++)
        if (strcmp(text, kind_names[filter->number]) == 0)
            return true;
    return error_set(making->error, "%s: --%s %s: it must be malloc, new, new[], rust, other or unknown",
                     making->command, rule->option, text);
}

static bool fill(const struct making *making, const struct rule *rule, const char *text,
                 struct filter *filter) {
    switch (rule->kind) {
    case FILTER_PLACE: return fill_place(making, rule, text, filter);
    case FILTER_DOMAIN: return fill_domain(making, rule, text, filter);
    case FILTER_SCOPE:
    case FILTER_TAG: return fill_name(making, text, filter);
    case FILTER_KIND: return fill_kind(making, rule, text, filter);
    case FILTER_THREAD: return fill_number(making, rule, text, filter);
    default: return filter_set_pattern(filter, text, strlen(text)) || error_out_of_memory(making->error);
    }
}

static struct filter *append(const struct making *making, enum filter_kind kind) {
    struct filters *filters = making->filters;
    struct filter *more = realloc(filters->items, (filters->count + 1) * sizeof *more);
    if (more == NULL) {
        error_out_of_memory(making->error);
        return NULL;
    }
    filters->items = more;
    more[filters->count] =
        (struct filter){.kind = kind, .all_frames = making->all_frames, .python = making->python};
    return &more[filters->count++];
}

static bool apply(const struct making *making, const struct rule *rule) {
    for (size_t i = 0; i < rule->list->count; i++) {
        struct filter *filter = append(making, rule->kind);
        if (filter == NULL || !fill(making, rule, rule->list->items[i], filter))
            return false;
        filter->exclusive = rule->exclusive;
    }
    return true;
}

static bool apply_size(const struct making *making, uint64_t bytes) {
    if (bytes == 0)
        return true;
    struct filter *filter = append(making, FILTER_SIZE);
    if (filter != NULL)
        filter->number = bytes;
    return filter != NULL;
}

bool filter_options_make(const struct filter_options *options, const char *command, bool python,
                         struct filters *filters, struct error *error) {
    const struct making making = {command, python, options->all_frames, filters, error};
    const struct rule rules[] = {
        {"include", &options->include, FILTER_PLACE, false},
        {"exclude", &options->exclude, FILTER_PLACE, true},
        {"domain", &options->domain, FILTER_DOMAIN, false},
        {"exclude-domain", &options->exclude_domain, FILTER_DOMAIN, true},
        {"scope", &options->scope, FILTER_SCOPE, false},
        {"exclude-scope", &options->exclude_scope, FILTER_SCOPE, true},
        {"tag", &options->tag, FILTER_TAG, false},
        {"exclude-tag", &options->exclude_tag, FILTER_TAG, true},
        {"thread", &options->thread, FILTER_THREAD, false},
        {"kind", &options->kind, FILTER_KIND, false},
        {"function", &options->function, FILTER_FUNCTION, false},
        {"module", &options->module, FILTER_MODULE, false},
    };
    bool done = true;
    memset(filters, 0, sizeof *filters);
    for (size_t i = 0; done && i < sizeof rules / sizeof *rules; i++)
        done = apply(&making, &rules[i]);
    done = done && apply_size(&making, options->min_size);
    if (!done)
        filters_free(filters);
    return done;
}

void filter_options_free(struct filter_options *options) {
    free(options->include.items);
    free(options->exclude.items);
    free(options->domain.items);
    free(options->exclude_domain.items);
    free(options->scope.items);
    free(options->exclude_scope.items);
    free(options->tag.items);
    free(options->exclude_tag.items);
    free(options->thread.items);
    free(options->kind.items);
    free(options->function.items);
    free(options->module.items);
}
