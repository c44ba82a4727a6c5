/* tally.h - a hostile program's own account of its heap: like tests/programs/ledger.h, without its lock.
 *
 *     p = TAKE(malloc(24), 24);           at least 16 bytes: the block's first 16 hold what DROP needs
 *     free(DROP(p));
 *     p = TAKE(realloc(DROP(p), 48), 48);
 *
 * At exit, `$LEDGER_DIR/<pid>.ledger` says what the tracer must find, in the words of ledger.h, and
 *
 *     slack BLOCKS            this many blocks may be on either side: what was under way at that moment
 *     unattributed            signal handlers allocate: their blocks may have no line
 *     loss NAME               the program forces this loss
 *     others                  lines that are in no ledger allocate too
 *     no_source               neither snapshot nor image can be left
 *     slots COUNT             at most so many thread slots may be taken
 *
 * Owns: static tables.  Threads: any, lock-free.  Signals: safe.  Heap: never. */
#ifndef TALLY_H
#define TALLY_H

#include <stddef.h>
#include <stdlib.h>

#define TAKE(allocation, size_bytes) tally_take((allocation), (size_bytes), __FILE__, __LINE__)
#define DROP(block)                  tally_drop(block)

/* Ends the program with status 3 and a message when `condition` does not hold. */
#define CHECK(condition) ((condition) ? (void)0 : tally_fail(#condition, __FILE__, __LINE__))

#ifdef __cplusplus
extern "C" {
#endif

/* Null passes through uncounted. */
void *tally_take(void *block, size_t size_bytes, const char *file, int line);
void *tally_drop(void *block);
__attribute__((noreturn)) void tally_fail(const char *condition, const char *file, int line);

/* "slack 2", "unattributed", "loss snapshots", "no_source": a line of the ledger. */
void tally_note(const char *fact);
/* In a forked child: what is live counts as its allocations, and nothing has happened yet. */
void tally_forked(void);
/* Writes the ledger now, for programs that end without their destructors; a second call does nothing. */
void tally_write(void);
/* Opens the ledger now, for programs that take the right to do so from themselves. */
void tally_open(void);
/* No ledger is written by this process: another program's, or one whose memory is its parent's. */
void tally_drop_out(void);
/* Writes a string to standard output, at once and without stdio. */
void say(const char *text);

#ifdef __cplusplus
}
#endif
#endif
