/* ledger.h - a fixture's own account of its heap, for the test to compare with what the tracer found.
 *
 *     char *p = GOT(malloc(24), 24);      the line that is in the ledger is the line of the call
 *     free(GONE(p));
 *     p = GOT(realloc(GONE(p), 48), 48);  a realloc is a free and an allocation
 *
 * When the program ends, `$LEDGER_DIR/<pid>.ledger` has one fact a line:
 *
 *     total NAME VALUE
 *     line FILE:LINE live_blocks live_bytes allocations allocated_bytes peak_blocks peak_bytes
 *     foreign MODULE                      blocks of this module are not in the ledger
 *     threads                             the peak is known up to what threads hold back
 *
 * Owns: static tables.  Threads: any, one lock.  Signals: no, unless they interrupt no ledger call.
 * Heap: never. */
#ifndef LEDGER_H
#define LEDGER_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define GOT(allocation, size_bytes) ledger_got((allocation), (size_bytes), __FILE__, __LINE__)
#define GONE(pointer)               ledger_gone(pointer)

/* Ends the program with status 3 and a message when `condition` does not hold. */
#define CHECK(condition) ((condition) ? (void)0 : ledger_fail(#condition, __FILE__, __LINE__))

#ifdef __cplusplus
extern "C" {
#endif

void *ledger_enter(void *block, size_t size_bytes, const char *file, int line);
void ledger_leave(void *block);
__attribute__((noreturn)) void ledger_fail(const char *condition, const char *file, int line);

/* For what is not a block of the heap (mapped.h): so many blocks, perhaps none, and bytes of a line. */
void ledger_allocated(const char *file, int line, uint64_t blocks, uint64_t size_bytes);
void ledger_freed(const char *file, int line, uint64_t blocks, uint64_t size_bytes);

/* Blocks whose newest frame is in this module are not in the ledger. */
void ledger_foreign(const char *module);
/* From now on several threads allocate. */
void ledger_threads(void);
/* In a forked child: what is live counts as its allocations, and nothing has happened yet. */
void ledger_forked(void);
/* Writes the ledger now, for programs that end without their destructors; a second call does nothing. */
void ledger_write(void);
/* Writes the ledger as it stands to `$LEDGER_DIR/<pid>.<name>.ledger`, to compare with a snapshot made now.
 */
void ledger_write_as(const char *name);

#ifdef __cplusplus
}

template <class T> T *ledger_got(T *block, size_t size_bytes, const char *file, int line) {
    return static_cast<T *>(ledger_enter(block, size_bytes, file, line));
}

template <class T> T *ledger_gone(T *block) {
    ledger_leave(block);
    return block;
}
#else
static inline void *ledger_got(void *block, size_t size_bytes, const char *file, int line) {
    return ledger_enter(block, size_bytes, file, line);
}

static inline void *ledger_gone(void *block) {
    ledger_leave(block);
    return block;
}
#endif

#endif
