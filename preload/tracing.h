/* tracing.h - the calls of heaptally.h: starting and stopping, beginning anew, what was traced, blocks of a
 * program's own, scopes and tags. What each means to a program is said there.
 *
 * Threads: any.  Signals: safe, but that a handler on top of the tracer's own work is told that nothing can
 * be done. Heap: never.  errno: kept. */
#ifndef HEAPTALLY_TRACING_H
#define HEAPTALLY_TRACING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heaptally.h"

struct caller;

int tracing_start(unsigned nframe);
int tracing_stop(void);
bool tracing_is_active(void);
int tracing_clear(void);
void tracing_reset_peak(void);
void tracing_memory(size_t *current, size_t *peak);
size_t tracing_tables(void);
int tracing_traceback(const void *block, void **pcs, int room);

int tracing_track(unsigned domain, uintptr_t address, size_t size_bytes, const struct caller *caller);
int tracing_untrack(unsigned domain, uintptr_t address);
int tracing_name_domain(unsigned domain, const char *name);

int tracing_scope_begin(const char *name);
int tracing_scope_end(void);
int tracing_scope(const char *name, struct heaptally_scope *scope);
int tracing_set_tag(const char *tag);

/* In a forked child: another thread of the parent may have been starting or stopping. */
void tracing_after_fork(void);

#endif
