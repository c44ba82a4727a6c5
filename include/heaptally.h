/* heaptally.h - for programs that want to talk to the tracer that they run under: tracemalloc's functions, by
 * their names, and what native code needs beside them.
 *
 * Nothing needs linking. In a process that was started without the library every call does nothing and says
 * HEAPTALLY_NOT_TRACING, 0 or false. Each function here asks the library, if there is one, by a weak symbol;
 * in code that is not position-independent, where a weak symbol is settled when the program is linked, by
 * dlsym().
 *
 *     #include <heaptally.h>
 *
 *     heaptally_scope_begin("load");
 *     load(file);
 *     heaptally_scope_end();
 *     heaptally_snapshot("loaded");
 *
 * Unless a function says otherwise: thread-safe, never blocks, keeps errno, and may be called in
 * constructors, in exit handlers, in a forked child and in signal handlers; a handler that interrupted the
 * tracer itself gets HEAPTALLY_FAILED from functions that would change something. Sizes are in bytes, of all
 * domains together. Where the process is sampled (HEAPTALLY_SAMPLE), figures are estimates; blocks of
 * heaptally_track are never sampled.
 *
 * Reference: Python's documentation of tracemalloc, and of PyTraceMalloc_Track in its C API. */
#ifndef HEAPTALLY_H
#define HEAPTALLY_H

#include <stddef.h>
#include <stdint.h>

#if !defined(__PIC__) && !defined(__PIE__)
#include <dlfcn.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define HEAPTALLY_FAILED      (-1)
#define HEAPTALLY_NOT_TRACING (-2)

/* What happened in a scope, of all threads, since the start or heaptally_clear_traces. */
struct heaptally_scope {
    uint64_t begun;           /* how often it was begun */
    uint64_t allocations;     /* made while it was open, by a thread that had it open */
    uint64_t allocated_bytes; /* their sizes */
    uint64_t live_blocks;     /* of these, not yet freed, by whomever */
    uint64_t live_bytes;
    uint64_t peak_bytes; /* the maximum of live_bytes */
};

/* What the library offers; use the functions below. `size` grows as members are added at the end. */
struct heaptally_api {
    size_t size;
    int (*start)(unsigned nframe);
    int (*stop)(void);
    int (*is_tracing)(void);
    unsigned (*get_traceback_limit)(void);
    void (*get_traced_memory)(size_t *current, size_t *peak);
    void (*reset_peak)(void);
    int (*clear_traces)(void);
    size_t (*get_tracer_memory)(void);
    int (*get_block_traceback)(const void *block, void **pcs, int room);
    int (*snapshot)(const char *label);
    int (*track)(unsigned domain, uintptr_t address, size_t size);
    int (*untrack)(unsigned domain, uintptr_t address);
    int (*name_domain)(unsigned domain, const char *name);
    int (*scope_begin)(const char *name);
    int (*scope_end)(void);
    int (*get_scope)(const char *name, struct heaptally_scope *scope);
    int (*set_tag)(const char *tag);
};

/* The library's own; absent without it. */
__attribute__((weak)) const struct heaptally_api *heaptally_get_api(void);

/* Returns what the library offers, or null: this process was started without it. */
static inline const struct heaptally_api *heaptally_find_api(void) {
#if defined(__PIC__) || defined(__PIE__)
    return heaptally_get_api ? heaptally_get_api() : NULL;
#else
    static const struct heaptally_api *known;
    static int asked;
    if (!__atomic_load_n(&asked, __ATOMIC_ACQUIRE)) {
        const struct heaptally_api *(*get)(void);
        void *found =
            dlsym(NULL, "heaptally_get_api"); /* RTLD_DEFAULT; as POSIX has it, through an object pointer */
        __builtin_memcpy(&get, &found, sizeof get);
        __atomic_store_n(&known, found != NULL ? get() : NULL, __ATOMIC_RELAXED);
        __atomic_store_n(&asked, 1, __ATOMIC_RELEASE);
    }
    return __atomic_load_n(&known, __ATOMIC_RELAXED);
#endif
}

/* Begins to trace, with nothing known of blocks that are there. A process that runs under the library is
 * traced from its first allocation (unless HEAPTALLY_START=0): the call then changes nothing, not the limit
 * either.
 *
 * nframe: how many frames of a stack are kept, the newest; 1 to 65535.
 * Returns 0; HEAPTALLY_FAILED for another nframe, or where another thread is for long at the same;
 * HEAPTALLY_NOT_TRACING without the library, or where it could not begin. */
static inline int heaptally_start(unsigned nframe) {
    const struct heaptally_api *api = heaptally_find_api();
    return api ? api->start(nframe) : HEAPTALLY_NOT_TRACING;
}

/* Stops tracing and forgets all traces: an allocation costs a few instructions then. Returns 0, or
 * HEAPTALLY_FAILED where another thread is for long at the same. */
static inline int heaptally_stop(void) {
    const struct heaptally_api *api = heaptally_find_api();
    return api ? api->stop() : 0;
}

/* Returns 1 if allocations are traced, else 0. */
static inline int heaptally_is_tracing(void) {
    const struct heaptally_api *api = heaptally_find_api();
    return api ? api->is_tracing() : 0;
}

/* Returns how many frames of a stack are kept, or would be; 0 without the library. */
static inline unsigned heaptally_get_traceback_limit(void) {
    const struct heaptally_api *api = heaptally_find_api();
    return api ? api->get_traceback_limit() : 0;
}

/* Sets *current to the bytes of all traced blocks, and *peak to their maximum so far; both to 0 if nothing is
 * traced. Exact in a process of one thread; with T threads within what a snapshot states (heaptally info). */
static inline void heaptally_get_traced_memory(size_t *current, size_t *peak) {
    const struct heaptally_api *api = heaptally_find_api();
    *current = *peak = 0;
    if (api)
        api->get_traced_memory(current, peak);
}

/* Sets the peak, of the whole and of each line, to what is live now. */
static inline void heaptally_reset_peak(void) {
    const struct heaptally_api *api = heaptally_find_api();
    if (api)
        api->reset_peak();
}

/* Forgets all traces; goes on tracing. The free of a block that was allocated before counts nowhere. Of a
 * thread that allocates or frees at that very moment, the one block may be counted on one side only. Returns
 * 0, HEAPTALLY_NOT_TRACING, or HEAPTALLY_FAILED where another thread is for long at the same. Takes some
 * microseconds, and more with more stacks: 1 ms for 10^5. */
static inline int heaptally_clear_traces(void) {
    const struct heaptally_api *api = heaptally_find_api();
    return api ? api->clear_traces() : HEAPTALLY_NOT_TRACING;
}

/* Returns how many bytes the tracer's own tables take: what is committed of the image, and the address space
 * of its private tables, which are filled sparsely. */
static inline size_t heaptally_get_tracer_memory(void) {
    const struct heaptally_api *api = heaptally_find_api();
    return api ? api->get_tracer_memory() : 0;
}

/* Where a block of the heap was allocated (tracemalloc.get_object_traceback).
 *
 * block: what malloc returned.  pcs: gets at most `room` program counters, the newest first: return
 * addresses, but for an instruction that a signal interrupted. Returns how many frames were kept of its
 * stack, which may exceed room; HEAPTALLY_FAILED for what is no traced block; HEAPTALLY_NOT_TRACING. */
static inline int heaptally_get_block_traceback(const void *block, void **pcs, int room) {
    const struct heaptally_api *api = heaptally_find_api();
    return api ? api->get_block_traceback(block, pcs, room) : HEAPTALLY_NOT_TRACING;
}

/* Writes a snapshot of the heap as it is now, named by HEAPTALLY_OUT.
 *
 * label: what `%l` in the name stands for, also kept in the file; at most 127 bytes, the rest is cut; a null
 * pointer is the empty label. Returns the snapshot's number (1, 2, ... in this process), or 0 when none could
 * be written: it is then counted as a lost snapshot, which every report of this process shows, unless nothing
 * is traced. Of two calls at one moment the second returns 0. */
static inline int heaptally_snapshot(const char *label) {
    const struct heaptally_api *api = heaptally_find_api();
    return api ? api->snapshot(label) : 0;
}

/* Tells of a block that no malloc gave out: of a pool or an arena of one's own, of a device
 * (PyTraceMalloc_Track).
 *
 * domain: a number of the program's choice; 0 is the heap, 1 that of mmap() with HEAPTALLY_MMAP.
 * address: any number that names the block in the domain. One that is tracked already gets the new size and
 * stack. Returns 0, HEAPTALLY_FAILED without memory for it, HEAPTALLY_NOT_TRACING. */
static inline int heaptally_track(unsigned domain, uintptr_t address, size_t size) {
    const struct heaptally_api *api = heaptally_find_api();
    return api ? api->track(domain, address, size) : HEAPTALLY_NOT_TRACING;
}

/* The block is gone (PyTraceMalloc_Untrack). Returns 0, also if it was not tracked; HEAPTALLY_NOT_TRACING. */
static inline int heaptally_untrack(unsigned domain, uintptr_t address) {
    const struct heaptally_api *api = heaptally_find_api();
    return api ? api->untrack(domain, address) : HEAPTALLY_NOT_TRACING;
}

/* Gives a domain other than 0 a name for reports; at most 1023 bytes, the rest is cut. Returns 0,
 * HEAPTALLY_FAILED without room for it, HEAPTALLY_NOT_TRACING without the library. */
static inline int heaptally_name_domain(unsigned domain, const char *name) {
    const struct heaptally_api *api = heaptally_find_api();
    return api ? api->name_domain(domain, name) : HEAPTALLY_NOT_TRACING;
}

/* Opens a scope: what this thread allocates until heaptally_scope_end belongs to it, and reports can be by
 * scope (heaptally top -k scope). Scopes nest, 64 deep; the name of an inner one is OUTER/INNER. Allocations
 * cost more meanwhile, about 100 ns.
 *
 * name: not empty; a `/` in it becomes `_`; with those around it at most 1023 bytes.
 * Returns 0; HEAPTALLY_FAILED without room for it: the scope must be ended all the same;
 * HEAPTALLY_NOT_TRACING: then not. Where tracing may start or stop meanwhile, end what was begun with 0 or
 * HEAPTALLY_FAILED. */
static inline int heaptally_scope_begin(const char *name) {
    const struct heaptally_api *api = heaptally_find_api();
    return api ? api->scope_begin(name) : HEAPTALLY_NOT_TRACING;
}

/* Ends the innermost scope of this thread, and a tag that was set in it. Returns 0; HEAPTALLY_FAILED if none
 * is open; HEAPTALLY_NOT_TRACING. */
static inline int heaptally_scope_end(void) {
    const struct heaptally_api *api = heaptally_find_api();
    return api ? api->scope_end() : HEAPTALLY_NOT_TRACING;
}

/* Says what happened in a scope, by its whole name (OUTER/INNER), that may be open. Returns 0;
 * HEAPTALLY_FAILED for one that was never begun; HEAPTALLY_NOT_TRACING: *scope is then all 0. The figures are
 * exact, but where other threads run not of one moment. */
static inline int heaptally_get_scope(const char *name, struct heaptally_scope *scope) {
    const struct heaptally_api *api = heaptally_find_api();
    __builtin_memset(scope, 0, sizeof *scope);
    return api ? api->get_scope(name, scope) : HEAPTALLY_NOT_TRACING;
}

/* Marks what this thread allocates from now on (heaptally top -k tag): a request, a customer. Tags are kept
 * for the life of the process, at most 65,000 different ones: choose few. Allocations cost more meanwhile,
 * about 100 ns.
 *
 * tag: at most 1023 bytes, the rest is cut; null or empty: none.
 * Returns 0, HEAPTALLY_FAILED without room for it, HEAPTALLY_NOT_TRACING. */
static inline int heaptally_set_tag(const char *tag) {
    const struct heaptally_api *api = heaptally_find_api();
    return api ? api->set_tag(tag) : HEAPTALLY_NOT_TRACING;
}

#ifdef __cplusplus
}
#endif

/* Names allocations that are known and wanted out of the way; at file scope, as often as you like, in C and
 * C++:
 *
 *     HEAPTALLY_SUPPRESS("leak:load_plugins");
 *
 * line: a literal in the syntax of LeakSanitizer's suppressions, which heaptally-top(1) describes; of several
 *       lines, with "\n" between.
 * It becomes a note of the program or library, which takes no time and stays there through `strip` and
 * --gc-sections. Reports of processes that have loaded it leave the stacks out and say how much that was;
 * their option --no-suppressions turns that off. */
#define HEAPTALLY_SUPPRESS(line)                                                                             \
    HEAPTALLY_SUPPRESS_(HEAPTALLY_JOIN_(heaptally_suppression_, __COUNTER__), line "")

#define HEAPTALLY_JOIN_(a, b)  HEAPTALLY_JOIN2_(a, b)
#define HEAPTALLY_JOIN2_(a, b) a##b
#ifdef __has_attribute
#if __has_attribute(retain)
#define HEAPTALLY_RETAIN_ retain,
#endif
#endif
#ifndef HEAPTALLY_RETAIN_
#define HEAPTALLY_RETAIN_
#endif
/* An ELF note: the sizes of its owner's name and of its text, its type, and both, each filled up to four
 * bytes. */
#define HEAPTALLY_SUPPRESS_(name, line)                                                                      \
    static const struct {                                                                                    \
        unsigned owner_bytes, text_bytes, type;                                                              \
        char owner[12], text[(sizeof(line) + 3) / 4 * 4];                                                    \
    } name __attribute__((section(".note.heaptally"), used, HEAPTALLY_RETAIN_ aligned(4))) = {               \
        sizeof "heaptally", sizeof(line), 1, "heaptally", line}

#endif
