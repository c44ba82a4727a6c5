/* mapped.c - see mapped.h. */
#include "mapped.h"

#include <stdbool.h>
#include <string.h>

static void put_at(struct map *map, size_t i, struct span span) {
    CHECK(map->count < SPANS);
    memmove(&map->spans[i + 1], &map->spans[i], (map->count - i) * sizeof *map->spans);
    map->spans[i] = span;
    map->count++;
}

static void take_at(struct map *map, size_t i) {
    map->count--;
    memmove(&map->spans[i], &map->spans[i + 1], (map->count - i) * sizeof *map->spans);
}

/* Removes [start, end) from span i; returns where the next one is. */
static size_t remove_from(struct map *map, size_t i, uintptr_t start, uintptr_t end) {
    struct span *span = &map->spans[i], upper = *span;
    bool below = span->start < start, above = end < span->end;
    uintptr_t from = below ? start : span->start, to = above ? end : span->end;
    ledger_freed(map->file, span->line, !below && !above, to - from);
    if (below && above) {
        ledger_allocated(map->file, span->line, 1, 0);
        span->end = start;
        upper.start = end;
        put_at(map, i + 1, upper);
        return i + 2;
    }
    if (below)
        span->end = start;
    else if (above)
        span->start = end;
    else
        take_at(map, i);
    return i + (below || above);
}

void map_remove(struct map *map, uintptr_t start, size_t bytes) {
    for (size_t i = 0; i < map->count;)
        if (map->spans[i].end <= start || map->spans[i].start >= start + bytes)
            i++;
        else
            i = remove_from(map, i, start, start + bytes);
}

void map_add(struct map *map, uintptr_t start, size_t bytes, int line) {
    size_t i = 0;
    while (i < map->count && map->spans[i].start < start)
        i++;
    CHECK(i == 0 || map->spans[i - 1].end <= start);
    CHECK(i == map->count || start + bytes <= map->spans[i].start);
    put_at(map, i, (struct span){start, start + bytes, line});
    ledger_allocated(map->file, line, 1, bytes);
}
