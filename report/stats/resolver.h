/* resolver.h - recorded program counters -> source-level frames, each looked up once and when first asked. */
#ifndef HEAPTALLY_REPORT_RESOLVER_H
#define HEAPTALLY_REPORT_RESOLVER_H

#include "builds.h"
#include "frames.h"
#include "../source/tables.h"
#include "../symbols/symbols.h"

struct resolver;

/* Borrows all three; they must outlive it. Null when out of memory. */
struct resolver *resolver_new(const struct tables *tables, struct symbols *symbols, struct frames *frames);
void resolver_free(struct resolver *self);

/* From now on frames are those of the builds that are compared. Borrows `builds`, which must outlive the
 * resolver; to be called before any chain is asked for. False when out of memory. */
bool resolver_use_builds(struct resolver *self, const struct builds *builds);

/* The chain of frames at an entry of FRAMES, innermost (newest) first, at least one. The array lives until
 * the next call. False when out of memory. */
bool resolver_chain(struct resolver *self, uint32_t entry, const frame_id **ids, size_t *count);

/* What the call at an entry of FRAMES calls; null where that is not known. Lives as long as the symboliser.
 */
const char *resolver_callee(struct resolver *self, uint32_t entry);

/* What frames call module `id` of the tables. */
const char *resolver_module_name(const struct resolver *self, uint32_t id);

/* The id by which the symboliser knows module `id` of the tables. */
size_t resolver_symbols_module(const struct resolver *self, uint32_t id);

#endif
