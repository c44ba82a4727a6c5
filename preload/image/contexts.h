/* contexts.h - what a program says of its blocks beside their stack: their domain, the scopes that are open,
 * a tag.
 *
 * Few and long-lived, so they are looked for one by one, and never removed. Of two threads that ask for a new
 * one at the same moment, each may make its own: readers go by what a context says, not by its number.
 *
 * Owns:    the CONTEXTS region.
 * Holds:   a published context never changes but for its sums and its domain's name; its parent was published
 * before. Threads: any, lock-free.  Signals: safe.  Heap: never. */
#ifndef HEAPTALLY_CONTEXTS_H
#define HEAPTALLY_CONTEXTS_H

#include <stdbool.h>
#include <stdint.h>

/* Context 0 is the heap's, without scope and tag. */
#define CONTEXTS_FULL UINT32_MAX

/* The context of a domain, as `of` in all else; or CONTEXTS_FULL. */
uint32_t contexts_with_domain(uint32_t of, uint32_t domain);

/* The context with one more scope inside those of `of`, or CONTEXTS_FULL: also when their names together have
 * more than HT_SCOPE_BYTES. */
uint32_t contexts_with_scope(uint32_t of, const char *name);

/* The context with this tag instead, empty for none; cut to HT_SCOPE_BYTES. Or CONTEXTS_FULL. */
uint32_t contexts_with_tag(uint32_t of, const char *tag);

/* The context whose only word is this scope's whole name; 0: there is none. */
uint32_t contexts_find_scope(const char *scope);

/* Names a domain, in contexts that are there or will be. False: no room. */
bool contexts_name_domain(uint32_t domain, const char *name);

/* Its scope was begun once more. */
void contexts_begun(uint32_t context);

/* Counts blocks, in the sums of the context and of those that it is inside of. */
void contexts_count(uint32_t context, uint64_t blocks, uint64_t bytes, bool freed);

/* The sums begin anew: after heaptally_clear_traces, or in a forked child. Figures, not of one moment. */
void contexts_clear(void);

#endif
