/* interner.h - equal bytes -> equal small number.
 *
 * Ids count from 0 in the order of first sight; the stored bytes never move. */
#ifndef HEAPTALLY_REPORT_INTERNER_H
#define HEAPTALLY_REPORT_INTERNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INTERNER_NONE UINT32_MAX

struct interner;

struct interner *interner_new(void);
void interner_free(struct interner *self);

/* Returns the id of bytes[0..size), which are copied at first sight; INTERNER_NONE when out of memory.
 * *fresh (if not null): whether this was the first sight. */
uint32_t interner_put(struct interner *self, const void *bytes, size_t size, bool *fresh);

/* The id of bytes that were put; INTERNER_NONE if they were not. */
uint32_t interner_find(const struct interner *self, const void *bytes, size_t size);

/* The bytes of an id, aligned for any type, with a NUL behind them. */
const void *interner_get(const struct interner *self, uint32_t id, size_t *size);

uint32_t interner_count(const struct interner *self);

#endif
