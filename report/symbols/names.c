/* names.c - a hash table of strings with open addressing.
 * Owns:    every string.   Holds: equal text <=> equal pointer; at most half of the buckets are taken.
 * Threads: one at a time.   Heap: yes, every failure returned. */
#include "names.h"
#include "demangle.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    uint64_t hash;
    const char *readable; /* null until asked for */
    size_t length;
    char text[];
};

struct names {
    struct entry **buckets;
    size_t bucket_count; /* a power of two */
    size_t entry_count;
};

struct names *names_new(void) {
    struct names *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->bucket_count = 1024;
    self->buckets = calloc(self->bucket_count, sizeof *self->buckets);
    if (!self->buckets) {
        free(self);
        return NULL;
    }
    return self;
}

void names_free(struct names *self) {
    if (!self)
        return;
    for (size_t i = 0; i < self->bucket_count; i++)
        free(self->buckets[i]);
    free(self->buckets);
    free(self);
}

/* FNV-1a. */
static uint64_t hash_text(const char *text, size_t length) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3u;
    return hash ^ (hash >> 32);
}

/* The bucket that holds the text, or the free one where it belongs. */
static struct entry **find_bucket(struct entry **buckets, size_t bucket_count, uint64_t hash,
                                  const char *text, size_t length) {
    for (size_t i = (size_t)hash & (bucket_count - 1);; i = (i + 1) & (bucket_count - 1)) {
        struct entry *entry = buckets[i];
        if (!entry || (entry->hash == hash && entry->length == length && !memcmp(entry->text, text, length)))
            return &buckets[i];
    }
}

static int grow(struct names *self) {
    size_t bucket_count = self->bucket_count * 2;
    struct entry **buckets = calloc(bucket_count, sizeof *buckets);
    if (!buckets)
        return 0;
    for (size_t i = 0; i < self->bucket_count; i++) {
        struct entry *entry = self->buckets[i];
        if (entry)
            *find_bucket(buckets, bucket_count, entry->hash, entry->text, entry->length) = entry;
    }
    free(self->buckets);
    self->buckets = buckets;
    self->bucket_count = bucket_count;
    return 1;
}

static struct entry *intern(struct names *self, const char *text, size_t length) {
    if (self->entry_count * 2 >= self->bucket_count && !grow(self))
        return NULL;
    uint64_t hash = hash_text(text, length);
    struct entry **bucket = find_bucket(self->buckets, self->bucket_count, hash, text, length);
    if (*bucket)
        return *bucket;
    struct entry *entry = malloc(sizeof *entry + length + 1);
    if (!entry)
        return NULL;
    *entry = (struct entry){.hash = hash, .length = length};
    memcpy(entry->text, text, length);
    entry->text[length] = '\0';
    self->entry_count++;
    return *bucket = entry;
}

const char *names_intern(struct names *self, const char *text) {
    struct entry *entry = intern(self, text, strlen(text));
    return entry ? entry->text : NULL;
}

/* A version follows '@' or '@@'; a name may begin with '@', not hold another. */
static size_t length_without_version(const char *symbol) {
    return symbol[0] ? 1 + strcspn(symbol + 1, "@") : 0;
}

const char *names_readable(struct names *self, const char *symbol) {
    struct entry *entry = intern(self, symbol, length_without_version(symbol));
    if (!entry || entry->readable)
        return entry ? entry->readable : NULL;
    char *demangled = demangle(entry->text);
    entry->readable = demangled ? names_intern(self, demangled) : entry->text;
    free(demangled);
    return entry->readable;
}
