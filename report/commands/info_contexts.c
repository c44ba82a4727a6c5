/* info_contexts.c - what a program said of its blocks by heaptally.h: its domains and scopes, with their
 * sums.
 *
 * A block counts in its own context and in the scopes around it. So a domain's sums are of its own contexts,
 * of which none is inside another of a domain; a scope's are in the context that says nothing else.
 *
 * Owns:    nothing, but a list and its index while it prints.
 * Threads: one.  Signals: no.  Heap: yes. */
#define _GNU_SOURCE
#include "info_facts.h"
#include "../render/harmless.h"
#include "../render/units.h"
#include "../stats/interner.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* One domain, or one scope by its name: equal contexts are one. */
struct sum {
    struct tables_context of;
    uint64_t begun, allocations, allocated_bytes, frees, freed_bytes, peak_bytes;
};

static bool is_domain(const struct tables_context *context) {
    return context->domain != HT_DOMAIN_HEAP;
}

static bool is_scope(const struct tables_context *context) {
    return context->domain == HT_DOMAIN_HEAP && context->scope[0] != '\0' && context->tag[0] == '\0';
}

/* The number of a context among those that are not equal to it. INTERNER_NONE: out of memory. */
static uint32_t number_of(struct interner *seen, const struct tables_context *context, bool *fresh) {
    return is_domain(context) ? interner_put(seen, &context->domain, sizeof context->domain, fresh)
                              : interner_put(seen, context->scope, strlen(context->scope), fresh);
}

static void add(struct sum *sum, const struct ht_context *context) {
    sum->begun += context->begun;
    sum->allocations += context->allocations;
    sum->allocated_bytes += context->allocated_bytes;
    sum->frees += context->frees;
    sum->freed_bytes += context->freed_bytes;
    sum->peak_bytes += context->peak_bytes; /* of several contexts, an upper bound */
}

/* All sums of a kind, in the order in which they were first seen; free with free. Null: none, or no memory.
 */
static struct sum *sums_of(const struct tables *tables, bool (*is_one)(const struct tables_context *),
                           size_t *count) {
    uint32_t contexts = tables_context_count(tables);
    *count = 0;
    struct sum *sums = contexts > 1 ? calloc(contexts, sizeof *sums) : NULL;
    struct interner *seen = sums != NULL ? interner_new() : NULL;
    for (uint32_t i = 1; seen != NULL && i < contexts; i++) {
        const struct ht_context *record =
            (const struct ht_context *)tables->region[HT_REGION_CONTEXTS].at + i;
        struct tables_context context = tables_context(tables, i);
        bool fresh;
        if (record->valid != 1 || !is_one(&context))
            continue;
        uint32_t at = number_of(seen, &context, &fresh);
        if (at == INTERNER_NONE) {
            free(sums);
            interner_free(seen);
            return NULL;
        }
        if (fresh)
            sums[at].of = context;
        add(&sums[at], record);
    }
    *count = seen != NULL ? interner_count(seen) : 0;
    interner_free(seen);
    return sums;
}

static void put_sum(FILE *out, const struct sum *sum) {
    char live[UNITS_BYTES], peak[UNITS_BYTES], total[UNITS_BYTES];
    fprintf(out, ": live %s in %" PRIu64 " blocks, peak %s, allocated %s in %" PRIu64 "\n",
            units_size((double)(sum->allocated_bytes - sum->freed_bytes), false, live),
            sum->allocations - sum->frees, units_size((double)sum->peak_bytes, false, peak),
            units_size((double)sum->allocated_bytes, false, total), sum->allocations);
}

void info_put_contexts(FILE *out, const struct tables *tables) {
    size_t count;
    struct sum *sums = sums_of(tables, is_domain, &count);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%-16s %" PRIu32 "%s", i == 0 ? "domains" : "", sums[i].of.domain,
                sums[i].of.domain_name[0] != '\0' ? " " : "");
        harmless_put(out, sums[i].of.domain_name);
        put_sum(out, &sums[i]);
    }
    free(sums);
    sums = sums_of(tables, is_scope, &count);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%-16s ", i == 0 ? "scopes" : "");
        harmless_put(out, sums[i].of.scope);
        fprintf(out, ", begun %" PRIu64 " times", sums[i].begun);
        put_sum(out, &sums[i]);
    }
    free(sums);
}

static void put_json_sum(struct json *json, const struct sum *sum) {
    json_put_unsigned(json, "live_bytes", sum->allocated_bytes - sum->freed_bytes);
    json_put_unsigned(json, "live_blocks", sum->allocations - sum->frees);
    json_put_unsigned(json, "peak_bytes", sum->peak_bytes);
    json_put_unsigned(json, "allocated_bytes", sum->allocated_bytes);
    json_put_unsigned(json, "allocations", sum->allocations);
}

void info_put_json_contexts(struct json *json, const struct tables *tables) {
    size_t count;
    struct sum *sums = sums_of(tables, is_domain, &count);
    json_open(json, "domains", '[');
    for (size_t i = 0; i < count; i++) {
        json_open(json, NULL, '{');
        json_put_unsigned(json, "number", sums[i].of.domain);
        json_put_string(json, "name", sums[i].of.domain_name[0] != '\0' ? sums[i].of.domain_name : NULL);
        put_json_sum(json, &sums[i]);
        json_close(json, '}');
    }
    json_close(json, ']');
    free(sums);
    sums = sums_of(tables, is_scope, &count);
    json_open(json, "scopes", '[');
    for (size_t i = 0; i < count; i++) {
        json_open(json, NULL, '{');
        json_put_string(json, "name", sums[i].of.scope);
        json_put_unsigned(json, "begun", sums[i].begun);
        put_json_sum(json, &sums[i]);
        json_close(json, '}');
    }
    json_close(json, ']');
    free(sums);
}
