/* interner.c - see interner.h. Open addressing over ids; bytes in chunks.
 * Owns:    the chunks, the entries, the table.
 * Holds:   the table is at most half full.
 * Threads: one.  Signals: no.  Heap: yes. */
#include "interner.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define CHUNK_BYTES ((size_t)64 << 10)
#define ALIGNMENT   ((size_t)16)

struct chunk {
    struct chunk *next;
    size_t used, room;
    _Alignas(16) char bytes[];
};

struct entry {
    const char *bytes;
    size_t size;
    uint64_t hash;
};

struct interner {
    struct chunk *chunks;
    struct entry *entries;
    uint32_t count, entry_room;
    uint32_t *table; /* id + 1; 0: empty */
    size_t table_mask;
};

struct interner *interner_new(void) {
    struct interner *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->entry_room = 64;
    self->table_mask = 127;
    self->entries = calloc(self->entry_room, sizeof *self->entries);
    self->table = calloc(self->table_mask + 1, sizeof *self->table);
    if (self->entries != NULL && self->table != NULL)
        return self;
    interner_free(self);
    return NULL;
}

void interner_free(struct interner *self) {
    if (self == NULL)
        return;
    for (struct chunk *chunk = self->chunks, *next; chunk != NULL; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(self->entries);
    free(self->table);
    free(self);
}

/* The place in the table where an entry is or would be. */
static uint32_t *place_of(const struct interner *self, const void *bytes, size_t size, uint64_t hash) {
    for (size_t at = hash & self->table_mask;; at = (at + 1) & self->table_mask) {
        uint32_t id = self->table[at];
        if (id == 0)
            return &self->table[at];
        const struct entry *entry = &self->entries[id - 1];
        if (entry->hash == hash && entry->size == size &&
            (size == 0 || memcmp(entry->bytes, bytes, size) == 0))
            return &self->table[at];
    }
}

static bool grow_table(struct interner *self) {
    size_t mask = self->table_mask * 2 + 1;
    uint32_t *table = calloc(mask + 1, sizeof *table);
    if (table == NULL)
        return false;
    for (uint32_t id = 0; id < self->count; id++) {
        size_t at = self->entries[id].hash & mask;
        while (table[at] != 0)
            at = (at + 1) & mask;
        table[at] = id + 1;
    }
    free(self->table);
    self->table = table;
    self->table_mask = mask;
    return true;
}

/* Room for one more entry. */
static bool grow(struct interner *self) {
    if (self->count == self->entry_room) {
        if (self->entry_room > UINT32_MAX / 4)
            return false;
        void *more = realloc(self->entries, 2 * (size_t)self->entry_room * sizeof *self->entries);
        if (more == NULL)
            return false;
        self->entries = more;
        self->entry_room *= 2;
    }
    return ((size_t)self->count + 1) * 2 <= self->table_mask || grow_table(self);
}

static char *store(struct interner *self, const void *bytes, size_t size) {
    size_t needed = (size + 1 + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    struct chunk *chunk = self->chunks;
    if (chunk == NULL || chunk->room - chunk->used < needed) {
        size_t room = needed > CHUNK_BYTES ? needed : CHUNK_BYTES;
        chunk = malloc(sizeof *chunk + room);
        if (chunk == NULL)
            return NULL;
        *chunk = (struct chunk){.next = self->chunks, .used = 0, .room = room};
        self->chunks = chunk;
    }
    char *copy = chunk->bytes + chunk->used;
    chunk->used += needed;
    if (size != 0)
        memcpy(copy, bytes, size);
    copy[size] = '\0';
    return copy;
}

uint32_t interner_put(struct interner *self, const void *bytes, size_t size, bool *fresh) {
    uint64_t hash = XXH64(bytes, size, 0);
    if (fresh != NULL)
        *fresh = false;
    if (!grow(self))
        return INTERNER_NONE;
    uint32_t *place = place_of(self, bytes, size, hash);
    if (*place != 0)
        return *place - 1;
    char *copy = store(self, bytes, size);
    if (copy == NULL)
        return INTERNER_NONE;
    self->entries[self->count++] = (struct entry){copy, size, hash};
    *place = self->count;
    if (fresh != NULL)
        *fresh = true;
    return self->count - 1;
}

uint32_t interner_find(const struct interner *self, const void *bytes, size_t size) {
    uint32_t id = *place_of(self, bytes, size, XXH64(bytes, size, 0));
    return id != 0 ? id - 1 : INTERNER_NONE;
}

const void *interner_get(const struct interner *self, uint32_t id, size_t *size) {
    if (size != NULL)
        *size = self->entries[id].size;
    return self->entries[id].bytes;
}

uint32_t interner_count(const struct interner *self) {
    return self->count;
}
