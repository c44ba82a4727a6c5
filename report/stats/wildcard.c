/* wildcard.c - see wildcard.h. A set is read step by step as Lib/fnmatch.py's translate() does, since what it
 * makes of the odd ones ([z-a], [!-a], [a-c-e]) has no other definition.
 * Owns:    the items and the characters of sets.
 * Holds:   every item but a star takes exactly one character, so one star to return to is enough.
 * Threads: any.  Signals: no.  Heap: yes (compiling). */
#include "wildcard.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define RANGE UINT32_MAX /* between the two ends of a range, where a `-` would be a character */

enum item_kind { ONE, ANY, STAR, SET, NEVER };

struct item {
    enum item_kind kind;
    bool negated;       /* of a SET */
    uint32_t character; /* of ONE */
    size_t first, end;  /* of a SET: where its characters are */
};

struct wildcard {
    struct item *items;
    size_t item_count;
    uint32_t *characters; /* of the pattern; a set is rewritten in its place, which it never outgrows */
};

/* ---- characters ---- */

/* The length of the UTF-8 sequence at text[0..length), 0 if there is none. */
static size_t sequence(const unsigned char *text, size_t length, uint32_t *character) {
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t bytes = text[0] < 0x80 ? 1 : text[0] < 0xc0 ? 0 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    if (bytes == 0 || bytes > length || text[0] >= 0xf8)
        return 0;
    *character = bytes == 1 ? text[0] : text[0] & (0x7fu >> bytes);
    for (size_t i = 1; i < bytes; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        *character = *character << 6 | (text[i] & 0x3fu);
    }
    bool surrogate = *character >= 0xd800 && *character < 0xe000;
    return *character >= smallest[bytes] && *character <= 0x10ffff && !surrogate ? bytes : 0;
}

/* The character at text[*at]; *at moves behind it. Other bytes are what Python's surrogateescape makes them.
 */
static uint32_t take(const char *text, size_t length, size_t *at) {
    const unsigned char *here = (const unsigned char *)text + *at;
    uint32_t character = 0;
    size_t bytes = sequence(here, length - *at, &character);
    *at += bytes != 0 ? bytes : 1;
    return bytes != 0 ? character : 0xdc00u + here[0];
}

/* ---- sets ---- */

struct chunk {
    size_t first, end;
};

static size_t find(const uint32_t *all, uint32_t character, size_t from, size_t end) {
    while (from < end && all[from] != character)
        from++;
    return from;
}

/* Cuts [first, end) at the hyphens that make ranges. The first character is never such a hyphen, and the two
 * behind a range's hyphen are not either. Returns how many chunks there are. */
static size_t cut(const uint32_t *all, size_t first, size_t end, struct chunk *chunks) {
    size_t count = 0, from = first, hyphen = first + (all[first] == '!' ? 2 : 1);
    while ((hyphen = find(all, '-', hyphen, end)) < end) {
        chunks[count++] = (struct chunk){from, hyphen};
        from = hyphen + 1;
        hyphen += 3;
    }
    if (from < end)
        chunks[count++] = (struct chunk){from, end};
    else
        chunks[count - 1].end++; /* a hyphen at the end is a character */
    return count;
}

/* Joins chunks whose range would be empty, as z-a: both of its ends go. */
static size_t drop_empty_ranges(uint32_t *all, struct chunk *chunks, size_t count) {
    for (size_t k = count; k-- > 1;) {
        struct chunk *left = &chunks[k - 1], *right = &chunks[k];
        if (all[left->end - 1] <= all[right->first])
            continue;
        size_t rest = right->end - right->first - 1;
        memmove(&all[left->end - 1], &all[right->first + 1], rest * sizeof *all);
        left->end = left->end - 1 + rest;
        memmove(right, right + 1, (--count - k) * sizeof *right);
    }
    return count;
}

/* Writes the chunks to all[first ...], with RANGE between them. Returns where they end. */
static size_t join(uint32_t *all, size_t first, const struct chunk *chunks, size_t count) {
    size_t to = first;
    for (size_t i = 0; i < count; i++) {
        size_t length = chunks[i].end - chunks[i].first;
        if (i != 0)
            all[to++] = RANGE;
        memmove(&all[to], &all[chunks[i].first], length * sizeof *all);
        to += length;
    }
    return to;
}

/* Makes an item of the set all[first..end), without its brackets and not empty. */
static bool make_set(uint32_t *all, size_t first, size_t end, struct item *item) {
    struct chunk *chunks = malloc((end - first + 1) * sizeof *chunks);
    if (chunks == NULL)
        return false;
    size_t count = cut(all, first, end, chunks);
    count = drop_empty_ranges(all, chunks, count);
    end = join(all, first, chunks, count);
    free(chunks);
    bool negated = end > first && all[first] == '!';
    *item = (struct item){.kind = SET, .negated = negated, .first = first + negated, .end = end};
    if (first == end)
        item->kind = NEVER;
    else if (item->first == end)
        item->kind = ANY;
    return true;
}

static bool in_set(const struct wildcard *self, const struct item *item, uint32_t character) {
    const uint32_t *all = self->characters;
    for (size_t i = item->first; i < item->end; i++) {
        bool range = i + 2 < item->end && all[i + 1] == RANGE;
        if (range ? character >= all[i] && character <= all[i + 2] : character == all[i])
            return true;
        i += range ? 2 : 0;
    }
    return false;
}

/* ---- compiling ---- */

/* The `]` of the set that begins behind all[at - 1]; `count` if there is none. It is not the first of its
 * set. */
static size_t set_end(const uint32_t *all, size_t at, size_t count) {
    at += at < count && all[at] == '!';
    at += at < count && all[at] == ']';
    return find(all, ']', at, count);
}

/* Makes the item at all[at]. Returns where the next one begins, 0 when out of memory. */
static size_t make_item(uint32_t *all, size_t at, size_t count, struct item *item) {
    uint32_t character = all[at++];
    size_t end = character == '[' ? set_end(all, at, count) : count;
    *item = (struct item){.kind = character == '*'   ? STAR
                                  : character == '?' ? ANY
                                                     : ONE,
                          .character = character};
    if (end == count)
        return at;
    return make_set(all, at, end, item) ? end + 1 : 0;
}

static bool compile(struct wildcard *self, const char *pattern, size_t length) {
    size_t count = 0;
    for (size_t at = 0; at < length;)
        self->characters[count++] = take(pattern, length, &at);
    for (size_t at = 0; at < count;) {
        at = make_item(self->characters, at, count, &self->items[self->item_count++]);
        if (at == 0)
            return false;
    }
    return true;
}

struct wildcard *wildcard_new(const char *pattern, size_t length) {
    struct wildcard *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->items = calloc(length + 1, sizeof *self->items);
    self->characters = calloc(length + 1, sizeof *self->characters);
    if (self->items != NULL && self->characters != NULL && compile(self, pattern, length))
        return self;
    wildcard_free(self);
    return NULL;
}

void wildcard_free(struct wildcard *self) {
    if (self == NULL)
        return;
    free(self->items);
    free(self->characters);
    free(self);
}

/* ---- matching ---- */

static bool takes(const struct wildcard *self, const struct item *item, uint32_t character) {
    switch (item->kind) {
    case ONE: return character == item->character;
    case ANY: return true;
    case SET: return in_set(self, item, character) != item->negated;
    default: return false;
    }
}

bool wildcard_matches(const struct wildcard *self, const char *text, size_t length) {
    const struct item *item = self->items, *end = item + self->item_count, *star = NULL;
    size_t at = 0, star_at = 0;
    for (;;) {
        size_t next = at;
        if (item < end && item->kind == STAR) {
            star = item++;
            star_at = at;
        } else if (at < length && item < end && takes(self, item, take(text, length, &next))) {
            item++;
            at = next;
        } else if (at == length && item == end) {
            return true;
        } else if (star == NULL || star_at == length) {
            return false;
        } else { /* the last star takes one character more */
            take(text, length, &star_at);
            item = star + 1;
            at = star_at;
        }
    }
}
