/* contexts.c - see contexts.h.
 *
 * A block counts in the sums of its own context and of all parents: a scope's are of everything that was
 * allocated while it was open, whatever its tag and domain.
 *
 * Owns:    CONTEXTS, strings that only they name.
 * Threads: any, lock-free.  Signals: safe.  Heap: never. */
#include "contexts.h"

#include "../platform/text.h"
#include "image.h"

#include <string.h>

static uint32_t bound(void) {
    /* acquire: partner of publish's release, by way of `valid`; here a bound alone */
    return (uint32_t)__atomic_load_n(&image_header->regions[HT_REGION_CONTEXTS].used_records,
                                     __ATOMIC_ACQUIRE);
}

static const char *string_at(uint64_t offset) {
    return offset != 0 ? image_strings + offset : "";
}

/* 0 for the empty string; UINT64_MAX: no room. */
static uint64_t add_string(const char *string) {
    size_t bytes = strlen(string) + 1;
    uint64_t at = bytes == 1 ? 0 : image_take(HT_REGION_STRINGS, bytes);
    if (bytes != 1 && at == 0)
        return UINT64_MAX;
    if (at != 0)
        memcpy(image_strings + at, string, bytes);
    return at;
}

static bool is_valid(uint32_t id) {
    return __atomic_load_n(&image_contexts[id].valid, __ATOMIC_ACQUIRE) != 0; /* partner: publish */
}

static uint32_t find(uint32_t domain, const char *scope, const char *tag) {
    uint32_t count = bound();
    for (uint32_t i = 1; i < count; i++) {
        const struct ht_context *context = &image_contexts[i];
        if (is_valid(i) && context->domain == domain && strcmp(string_at(context->scope), scope) == 0 &&
            strcmp(string_at(context->tag), tag) == 0)
            return i;
    }
    return 0;
}

static uint64_t name_of(uint32_t domain) {
    uint32_t count = bound();
    for (uint32_t i = 1; i < count; i++)
        if (is_valid(i) && image_contexts[i].domain == domain)
            return __atomic_load_n(&image_contexts[i].domain_name, __ATOMIC_RELAXED);
    return 0;
}

static uint32_t make(uint32_t domain, uint32_t parent, const char *scope, const char *tag) {
    uint64_t id = bound() < HT_CONTEXTS_MAX ? image_take(HT_REGION_CONTEXTS, 1) : 0;
    uint64_t scope_at = add_string(scope), tag_at = add_string(tag);
    if (id == 0 || id >= HT_CONTEXTS_MAX || scope_at == UINT64_MAX || tag_at == UINT64_MAX)
        return CONTEXTS_FULL;
    struct ht_context *context = &image_contexts[id];
    context->domain = domain;
    context->parent = parent;
    context->scope = scope_at;
    context->tag = tag_at;
    context->domain_name = name_of(domain);
    __atomic_store_n(&context->valid, 1, __ATOMIC_RELEASE); /* partner: is_valid's acquire, and readers' */
    return (uint32_t)id;
}

static uint32_t find_or_make(uint32_t domain, uint32_t parent, const char *scope, const char *tag) {
    if (domain == HT_DOMAIN_HEAP && scope[0] == '\0' && tag[0] == '\0')
        return 0;
    uint32_t id = find(domain, scope, tag);
    return id != 0 ? id : make(domain, parent, scope, tag);
}

/* The context of these words, and before it those that it is inside of: its scope alone, and the outer ones.
 */
static uint32_t chain(uint32_t domain, const char *scope, const char *tag) {
    char part[HT_SCOPE_BYTES];
    uint32_t parent = 0;
    for (const char *end = scope; *scope != '\0' && end != NULL && parent != CONTEXTS_FULL;) {
        const char *next = strchr(end, '/');
        size_t length = next != NULL ? (size_t)(next - scope) : strlen(scope);
        memcpy(part, scope, length);
        part[length] = '\0';
        parent = find_or_make(HT_DOMAIN_HEAP, parent, part, "");
        end = next != NULL ? next + 1 : NULL;
    }
    bool more = domain != HT_DOMAIN_HEAP || tag[0] != '\0';
    return more && parent != CONTEXTS_FULL ? find_or_make(domain, parent, scope, tag) : parent;
}

uint32_t contexts_with_domain(uint32_t of, uint32_t domain) {
    const struct ht_context *context = &image_contexts[of];
    return of == 0 ? find_or_make(domain, 0, "", "")
                   : chain(domain, string_at(context->scope), string_at(context->tag));
}

/* A '/' in a name would be taken for a scope inside another. */
static void add_name(struct text *text, const char *name) {
    char part[2] = "";
    for (; *name != '\0'; name++) {
        part[0] = *name == '/' ? '_' : *name;
        text_add(text, part);
    }
}

uint32_t contexts_with_scope(uint32_t of, const char *name) {
    char scope[HT_SCOPE_BYTES];
    const char *outer = of != 0 ? string_at(image_contexts[of].scope) : "";
    const char *tag = of != 0 ? string_at(image_contexts[of].tag) : "";
    uint32_t domain = of != 0 ? image_contexts[of].domain : HT_DOMAIN_HEAP;
    if (strlen(outer) + strlen(name) + 2 > sizeof scope)
        return CONTEXTS_FULL;
    struct text text = text_in(scope, sizeof scope);
    text_add(&text, outer);
    if (outer[0] != '\0')
        text_add(&text, "/");
    add_name(&text, name[0] != '\0' ? name : "_");
    return chain(domain, scope, tag);
}

uint32_t contexts_with_tag(uint32_t of, const char *tag) {
    char cut[HT_SCOPE_BYTES];
    struct text text = text_in(cut, sizeof cut);
    text_add(&text, tag);
    return chain(of != 0 ? image_contexts[of].domain : HT_DOMAIN_HEAP,
                 of != 0 ? string_at(image_contexts[of].scope) : "", cut);
}

uint32_t contexts_find_scope(const char *scope) {
    return find(HT_DOMAIN_HEAP, scope, "");
}

bool contexts_name_domain(uint32_t domain, const char *name) {
    char cut[HT_SCOPE_BYTES];
    struct text text = text_in(cut, sizeof cut);
    text_add(&text, name);
    uint32_t id = domain != HT_DOMAIN_HEAP ? find_or_make(domain, 0, "", "") : CONTEXTS_FULL;
    uint64_t at = id != CONTEXTS_FULL ? add_string(cut) : UINT64_MAX;
    if (at == UINT64_MAX)
        return false;
    for (uint32_t i = 1; i < bound(); i++)
        if (is_valid(i) && image_contexts[i].domain == domain)
            __atomic_store_n(&image_contexts[i].domain_name, at, __ATOMIC_RELEASE); /* readers' acquire */
    return true;
}

/* ---- sums ---- */

static void raise_peak(struct ht_context *context) {
    int64_t live = (int64_t)(__atomic_load_n(&context->allocated_bytes, __ATOMIC_RELAXED) -
                             __atomic_load_n(&context->freed_bytes, __ATOMIC_RELAXED));
    uint64_t max = __atomic_load_n(&context->peak_bytes, __ATOMIC_RELAXED);
    while (live > (int64_t)max && !__atomic_compare_exchange_n(&context->peak_bytes, &max, (uint64_t)live,
                                                               false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

void contexts_count(uint32_t id, uint64_t blocks, uint64_t bytes, bool freed) {
    for (; id != 0; id = image_contexts[id].parent) {
        struct ht_context *context = &image_contexts[id];
        __atomic_fetch_add(freed ? &context->freed_bytes : &context->allocated_bytes, bytes,
                           __ATOMIC_RELAXED);
        __atomic_fetch_add(freed ? &context->frees : &context->allocations, blocks, __ATOMIC_RELAXED);
        if (!freed)
            raise_peak(context);
    }
}

/* Also where a tag is set: the scope is then the parent. */
void contexts_begun(uint32_t id) {
    while (id != 0 && (image_contexts[id].tag != 0 || image_contexts[id].domain != HT_DOMAIN_HEAP))
        id = image_contexts[id].parent;
    if (id != 0)
        __atomic_fetch_add(&image_contexts[id].begun, 1, __ATOMIC_RELAXED);
}

void contexts_clear(void) {
    for (uint32_t i = 1; i < bound(); i++) {
        struct ht_context *context = &image_contexts[i];
        uint64_t *const sums[] = {&context->begun, &context->allocations, &context->allocated_bytes,
                                  &context->frees, &context->freed_bytes, &context->peak_bytes};
        for (size_t k = 0; k < sizeof sums / sizeof *sums; k++)
            __atomic_store_n(sums[k], 0, __ATOMIC_RELAXED);
    }
}
