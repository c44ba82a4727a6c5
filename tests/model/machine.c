/* machine.c - see machine.h.
 * Owns:    the coroutines, the shadow of memory, the search.
 * Threads: one. */
#define _GNU_SOURCE
#include "machine.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define THREADS      MACHINE_THREADS
#define HOT_MAX      96
#define STORES_MAX   64   /* of one word in one run */
#define CHOICES_MAX  4096 /* in one run */
#define STEPS_MAX    3000 /* of a run; a longer one is pruned: a loop that waits */
#define GRANULE_BITS 19
#define GRANULES     (1u << GRANULE_BITS)
#define STACK_BYTES  ((size_t)256 << 10)
#define ARENA_BYTES  ((size_t)64 << 20)

_Noreturn static void give_up(const char *why) {
    fprintf(stderr, "machine: %s\n", why);
    exit(3);
}

/* ---- what a thread knows, and what a store passes on ---- */

struct view {
    uint32_t clock[THREADS]; /* of each thread: up to which step of it */
    uint16_t store[HOT_MAX]; /* of each word: from which store on */
};

struct store {
    uint64_t value;
    struct view view; /* for who acquires it */
};

/* A word that several threads use, one of them with a store. Found out on the way: then the search begins
 * anew. */
struct hot {
    uintptr_t at;
    uint32_t run; /* for which the stores hold */
    int count;
    struct store *stores;
};

static struct hot hot[HOT_MAX];
static int hot_count;
static bool found_hot;

static void join(struct view *to, const struct view *from) {
    for (int i = 0; i < THREADS; i++)
        if (from->clock[i] > to->clock[i])
            to->clock[i] = from->clock[i];
    for (int i = 0; i < hot_count; i++)
        if (from->store[i] > to->store[i])
            to->store[i] = from->store[i];
}

/* ---- the shadow of memory, by 8 bytes ---- */

struct access {
    uint32_t clock;
    uint8_t bytes; /* a bit each */
};

struct granule {
    uintptr_t at;
    uint32_t run; /* for which the rest holds */
    int32_t hot;  /* index, or -1; holds for ever */
    bool saved;
    uint8_t readers, writers; /* atomic ones, a bit a thread */
    uint64_t old;
    struct access read[2][THREADS], write[2][THREADS]; /* plain, atomic */
};

static struct granule granules[GRANULES];
static uint32_t granule_count;
static uint32_t touched[GRANULES]; /* in this run */
static uint32_t touched_count;
static uint32_t run = 1;

extern char __data_start[], _end[];

static struct granule *granule_of(uintptr_t address) {
    uintptr_t at = address & ~(uintptr_t)7;
    uint32_t i = (uint32_t)((at >> 3) * 0x9E3779B97F4A7C15u >> (64 - GRANULE_BITS));
    while (granules[i].at != at && granules[i].at != 0)
        i = (i + 1) & (GRANULES - 1);
    struct granule *self = &granules[i];
    if (self->at == 0) {
        if (++granule_count > GRANULES / 4 * 3)
            give_up("more memory is used than the shadow has room for");
        self->at = at;
        self->hot = -1;
    }
    if (self->run != run) {
        int32_t index = self->hot;
        *self = (struct granule){.at = at, .run = run, .hot = index};
        touched[touched_count++] = i;
    }
    return self;
}

/* Only what is static is restored: the heap is the C library's. */
static void save(struct granule *self) {
    if (self->saved || self->at < (uintptr_t)__data_start || self->at >= (uintptr_t)_end)
        return;
    self->saved = true;
    memcpy(&self->old, (const void *)self->at, sizeof self->old);
}

static void restore_memory(void) {
    for (uint32_t i = 0; i < touched_count; i++)
        if (granules[touched[i]].saved)
            memcpy((void *)granules[touched[i]].at, &granules[touched[i]].old, sizeof(uint64_t));
    touched_count = 0;
    run++;
}

static char arena[ARENA_BYTES] __attribute__((aligned(65536)));
static size_t arena_used, arena_kept;

void *machine_memory(size_t bytes) {
    size_t align = bytes >= 4096 ? 4096 : 64, at = (arena_used + align - 1) & ~(align - 1);
    if (at + bytes > sizeof arena)
        give_up("the arena is used up");
    arena_used = at + bytes;
    return arena + at;
}

static struct { uintptr_t from, to; } unchecked[8];
static int unchecked_count;

void machine_no_races(const void *at, size_t bytes) {
    if (unchecked_count == 8)
        give_up("too many places without a check for races");
    unchecked[unchecked_count].from = (uintptr_t)at;
    unchecked[unchecked_count++].to = (uintptr_t)at + bytes;
}

static bool is_unchecked(uintptr_t at) {
    for (int i = 0; i < unchecked_count; i++)
        if (at >= unchecked[i].from && at < unchecked[i].to)
            return true;
    return false;
}

/* ---- the search ---- */

struct choice {
    uint16_t taken, of;
};

static struct choice choices[CHOICES_MAX];
static int choice_count, choice_at;

/* 0 first; then, in later runs, the others. */
static int choose(int of) {
    if (of <= 1)
        return 0;
    if (choice_at == choice_count) {
        if (choice_count == CHOICES_MAX)
            give_up("too many choices in a run");
        choices[choice_count++] = (struct choice){0, (uint16_t)of};
    }
    if (choices[choice_at].of != of)
        give_up("a run did not repeat itself");
    return choices[choice_at++].taken;
}

static bool next_run(void) {
    while (choice_count != 0 && choices[choice_count - 1].taken + 1 == choices[choice_count - 1].of)
        choice_count--;
    if (choice_count == 0)
        return false;
    choices[choice_count - 1].taken++;
    return true;
}

/* ---- threads ---- */

struct coroutine {
    jmp_buf at;
    ucontext_t context;
    char *stack;
    bool started, done;
    const uint32_t *awaits; /* null: nothing */
    uint32_t awaited;
    uint64_t yielded_at;                   /* steps of the run when it yielded; UINT64_MAX: it has not */
    struct view knows, acquired, released; /* acquired: by relaxed loads, for the next acquire fence */
};

static struct coroutine threads[THREADS];
static int thread_count, current, running; /* running: threads, else begin or end */
static bool logging;                       /* memory is saved before it is written */
static jmp_buf scheduler;
static const struct subject *subject;
static int preemptions_left, stale_left;
static uint64_t steps, all_steps;
static bool pruned, failed;

static struct {
    int thread;
    const char *what;
    uintptr_t at;
    uint64_t value;
    int behind; /* stores that are newer than the one that was read */
} trace[STEPS_MAX + 8];
static int trace_count;

static void note(const char *what, uintptr_t at, uint64_t value, int behind) {
    if (trace_count < STEPS_MAX) {
        trace[trace_count].thread = current;
        trace[trace_count].what = what;
        trace[trace_count].at = at;
        trace[trace_count].value = value;
        trace[trace_count++].behind = behind;
    }
}

static void print_trace(void) {
    for (int i = 0; i < trace_count; i++) {
        fprintf(stderr, "    thread %d  %-9s %#14lx  %#lx", trace[i].thread, trace[i].what,
                (unsigned long)trace[i].at, (unsigned long)trace[i].value);
        fprintf(stderr, trace[i].behind != 0 ? "  (%d stores behind)\n" : "\n", trace[i].behind);
    }
}

static void error(const char *what, const char *file, int line, uintptr_t at) {
    if (!failed && !subject->fails && !found_hot) {
        fprintf(stderr, "%s:%d: %s: %s", file, line, subject->name, what);
        fprintf(stderr, at != 0 ? " at %#lx\n" : "\n", (unsigned long)at);
        print_trace();
    }
    failed = true;
}

void machine_expect(bool condition, const char *text, const char *file, int line) {
    if (!condition)
        error(text, file, line, 0);
}

int machine_self(void) {
    return current;
}

static void to_scheduler(void) {
    if (_setjmp(threads[current].at) == 0)
        _longjmp(scheduler, 1);
}

static void enter_coroutine(void) {
    subject->thread[current]();
    threads[current].done = true;
    _longjmp(scheduler, 1);
}

static void resume(int thread) {
    struct coroutine *self = &threads[thread];
    current = thread;
    if (_setjmp(scheduler) != 0)
        return;
    if (self->started)
        _longjmp(self->at, 1);
    self->started = true;
    getcontext(&self->context);
    self->context.uc_stack.ss_sp = self->stack;
    self->context.uc_stack.ss_size = STACK_BYTES;
    self->context.uc_link = NULL;
    makecontext(&self->context, enter_coroutine, 0);
    setcontext(&self->context);
}

static bool all_yielded; /* who could go on waits for the others, which are done or wait for it */

static bool enabled(int thread) {
    const struct coroutine *self = &threads[thread];
    if (self->done)
        return false;
    if (self->yielded_at == steps && !all_yielded)
        return false;
    return self->awaits == NULL || __atomic_load_n(self->awaits, __ATOMIC_RELAXED) == self->awaited;
}

/* A thread that may go on goes on, unless a preemption is spent. */
static int pick_one(void) {
    int able[THREADS], count = 0;
    bool goes_on = enabled(current);
    if (goes_on)
        able[count++] = current;
    for (int i = 0; i < thread_count; i++)
        if (enabled(i) && !(goes_on && i == current))
            able[count++] = i;
    if (count == 0)
        return -1;
    if (goes_on && preemptions_left == 0)
        count = 1;
    int taken = able[choose(count)];
    if (goes_on && taken != current && preemptions_left > 0)
        preemptions_left--;
    return taken;
}

static int pick(void) {
    int taken = pick_one();
    if (taken < 0) {
        all_yielded = true;
        taken = pick_one();
        all_yielded = false;
    }
    return taken;
}

static void step(void) {
    if (!running)
        return;
    to_scheduler();
    steps++;
    all_steps++;
}

void machine_step(const char *what) {
    step();
    if (running)
        note(what, 0, 0, 0);
}

void machine_prune(void) {
    pruned = true;
    if (running)
        to_scheduler();
}

/* ---- hot words ---- */

static struct hot *hot_at(int index) {
    struct hot *self = &hot[index];
    if (self->run != run) {
        self->run = run;
        self->count = 1;
        memset(&self->stores[0].view, 0, sizeof self->stores[0].view);
        memcpy(&self->stores[0].value, (const void *)self->at, sizeof(uint64_t));
    }
    return self;
}

static void make_hot(struct granule *granule) {
    if (hot_count == HOT_MAX)
        give_up("too many words that several threads use");
    found_hot = true;
    granule->hot = hot_count;
    struct hot *self = &hot[hot_count++];
    self->at = granule->at;
    self->run = 0;
    if (self->stores == NULL)
        self->stores = malloc(STORES_MAX * sizeof *self->stores);
}

static int shift_of(uintptr_t at) {
    return (int)(at & 7) * 8;
}

static uint64_t mask_of(int bytes) {
    return bytes == 8 ? UINT64_MAX : ((uint64_t)1 << bytes * 8) - 1;
}

static uint8_t bits_of(uintptr_t at, int bytes) {
    return (uint8_t)(((1u << bytes) - 1) << (at & 7));
}

static uint64_t memory_at(uintptr_t at, int bytes) {
    uint64_t value = 0;
    memcpy(&value, (const void *)at, (size_t)bytes);
    return value;
}

static bool acquires(int order) {
    return order == __ATOMIC_ACQUIRE || order == __ATOMIC_CONSUME || order >= __ATOMIC_ACQ_REL;
}

static bool releases(int order) {
    return order == __ATOMIC_RELEASE || order >= __ATOMIC_ACQ_REL;
}

static void take_view(const struct store *store, int order) {
    struct coroutine *self = &threads[current];
    join(acquires(order) ? &self->knows : &self->acquired, &store->view);
}

static void add_store(int index, uintptr_t at, int bytes, uint64_t value, int order,
                      const struct store *read) {
    struct hot *self = hot_at(index);
    struct coroutine *thread = &threads[current];
    if (self->count == STORES_MAX)
        give_up("too many stores to a word");
    struct store *store = &self->stores[self->count];
    uint64_t mask = mask_of(bytes) << shift_of(at);
    store->value = (self->stores[self->count - 1].value & ~mask) | (value << shift_of(at) & mask);
    store->view = releases(order) ? thread->knows : thread->released;
    if (read != NULL) /* a read-modify-write goes on with the release that it read */
        join(&store->view, &read->view);
    thread->knows.store[index] = store->view.store[index] = (uint16_t)self->count++;
    thread->knows.clock[current]++; /* what follows was not passed on */
    memcpy((void *)at, &value, (size_t)bytes);
}

/* ---- races ---- */

/* Whether the threads' accesses to these bytes are all ordered before what is done now. */
static void check_order(const struct access *others, uint8_t bits, uintptr_t at) {
    for (int i = 0; i < thread_count; i++)
        if (i != current && others[i].clock > threads[current].knows.clock[i] &&
            (others[i].bytes & bits) != 0 && !is_unchecked(at))
            error("data race", "machine", 0, at);
}

static struct granule *access_one(uintptr_t at, int bytes, bool write, bool atomic) {
    struct granule *granule = granule_of(at);
    if (write && logging)
        save(granule);
    if (!running)
        return granule;
    uint8_t bits = bits_of(at, bytes);
    for (int other_atomic = 0; other_atomic < (atomic ? 1 : 2); other_atomic++) {
        check_order(granule->write[other_atomic], bits, at);
        if (write)
            check_order(granule->read[other_atomic], bits, at);
    }
    struct access *own = write ? &granule->write[atomic][current] : &granule->read[atomic][current];
    uint32_t clock = threads[current].knows.clock[current];
    *own = (struct access){clock, (uint8_t)(own->clock == clock ? own->bytes | bits : bits)};
    return granule;
}

static void access_plain(uintptr_t at, size_t bytes, bool write) {
    if (at >= (uintptr_t)threads[current].stack && at < (uintptr_t)threads[current].stack + STACK_BYTES)
        return;
    if ((!running && !logging) || at < (uintptr_t)__data_start || at >= (uintptr_t)_end)
        return; /* nobody else's */
    while (bytes != 0) {
        size_t part = 8 - (at & 7);
        part = part < bytes ? part : bytes;
        access_one(at, (int)part, write, false);
        at += part;
        bytes -= part;
    }
}

/* The granule of an atomic access. Finds out whether it is hot. */
static struct granule *access_atomic(uintptr_t at, int bytes, bool write) {
    struct granule *granule = access_one(at, bytes, write, true);
    if (!running)
        return granule;
    uint8_t bit = (uint8_t)(1u << current);
    granule->readers |= bit;
    granule->writers |= write ? bit : 0;
    if (granule->hot < 0 && granule->writers != 0 && (granule->readers & (granule->readers - 1)) != 0)
        make_hot(granule);
    return granule;
}

static bool is_hot(uintptr_t at) {
    return running && granule_of(at)->hot >= 0;
}

/* ---- atomic operations ---- */

static uint64_t load(uintptr_t at, int bytes, int order) {
    if (is_hot(at))
        step();
    struct granule *granule = access_atomic(at, bytes, false);
    if (!running || granule->hot < 0)
        return memory_at(at, bytes);
    struct hot *word = hot_at(granule->hot);
    struct coroutine *self = &threads[current];
    int oldest = self->knows.store[granule->hot], newest = word->count - 1;
    int behind = stale_left != 0 ? choose(newest - oldest + 1) : 0;
    if (behind != 0 && stale_left > 0)
        stale_left--;
    struct store *store = &word->stores[newest - behind];
    self->knows.store[granule->hot] = (uint16_t)(newest - behind);
    take_view(store, order);
    uint64_t value = store->value >> shift_of(at) & mask_of(bytes);
    note("loads", at, value, behind);
    return value;
}

static void store(uintptr_t at, int bytes, uint64_t value, int order) {
    if (is_hot(at))
        step();
    struct granule *granule = access_atomic(at, bytes, true);
    if (!running || granule->hot < 0) {
        memcpy((void *)at, &value, (size_t)bytes);
        return;
    }
    add_store(granule->hot, at, bytes, value, order, NULL);
    note("stores", at, value, 0);
}

enum change { EXCHANGE, ADD, SUB, AND, OR, XOR };

static uint64_t changed(enum change change, uint64_t before, uint64_t by) {
    switch (change) {
    case EXCHANGE: return by;
    case ADD: return before + by;
    case SUB: return before - by;
    case AND: return before & by;
    case OR: return before | by;
    case XOR: break;
    }
    return before ^ by;
}

/* Reads the newest store and follows it. compare: only if it is *expected, else sets that. */
static uint64_t modify(uintptr_t at, int bytes, enum change change, uint64_t by, int order,
                       const uint64_t *compare) {
    if (is_hot(at))
        step();
    struct granule *granule = access_atomic(at, bytes, true);
    uint64_t before = memory_at(at, bytes), after = changed(change, before, by) & mask_of(bytes);
    bool writes = compare == NULL || *compare == before;
    if (!running || granule->hot < 0) {
        if (writes)
            memcpy((void *)at, &after, (size_t)bytes);
        return before;
    }
    struct hot *word = hot_at(granule->hot);
    const struct store *read = &word->stores[word->count - 1];
    threads[current].knows.store[granule->hot] = (uint16_t)(word->count - 1);
    take_view(read, order);
    if (writes)
        add_store(granule->hot, at, bytes, after, order, read);
    note(writes ? "changes" : "compares", at, writes ? after : before, 0);
    return before;
}

void machine_await(const uint32_t *word, uint32_t value) {
    struct coroutine *self = &threads[current];
    access_atomic((uintptr_t)word, 4, false);
    self->awaits = word;
    self->awaited = value;
    step();
    self->awaits = NULL;
    if (granule_of((uintptr_t)word)->hot >= 0) {
        struct hot *at = hot_at(granule_of((uintptr_t)word)->hot);
        self->knows.store[at - hot] = (uint16_t)(at->count - 1);
        take_view(&at->stores[at->count - 1], __ATOMIC_ACQUIRE);
    }
    note("awaited", (uintptr_t)word, value, 0);
}

/* All that is done by now is visible in the end. */
void machine_yield(void) {
    if (!running)
        return;
    struct coroutine *self = &threads[current];
    self->yielded_at = steps;
    to_scheduler();
    self->yielded_at = UINT64_MAX;
    for (int i = 0; i < hot_count; i++)
        self->knows.store[i] = (uint16_t)(hot_at(i)->count - 1);
}

/* Every processor has to say that it knows the old place no more before the call returns, and nobody can be
 * given a fresh page until then: a barrier for all threads. */
void machine_move(void *to, void *from, size_t bytes) {
    machine_step("moves");
    for (size_t i = 0; i < bytes; i += 8) {
        uintptr_t at = (uintptr_t)from + i;
        struct granule *granule = granule_of(at);
        save(granule);
        save(granule_of((uintptr_t)to + i));
        memcpy((char *)to + i, (const void *)at, 8);
        memset((void *)at, 0, 8);
        if (running && granule->hot >= 0)
            add_store(granule->hot, at, 8, 0, __ATOMIC_RELAXED, NULL);
    }
    for (int k = 0; k < thread_count && running; k++)
        for (int i = 0; i < hot_count; i++)
            if (threads[k].knows.store[i] < threads[current].knows.store[i])
                threads[k].knows.store[i] = threads[current].knows.store[i];
}

static void fence(int order) {
    struct coroutine *self = &threads[current];
    if (!running)
        return;
    if (acquires(order))
        join(&self->knows, &self->acquired);
    if (releases(order))
        self->released = self->knows;
    self->knows.clock[current]++;
}

/* ---- what the compiler calls: gcc's and clang's runtime interface of -fsanitize=thread ---- */

void __tsan_init(void);
void __tsan_func_entry(void *caller);
void __tsan_func_exit(void);
void __tsan_init(void) {}
void __tsan_func_entry(void *caller) {
    (void)caller;
}
void __tsan_func_exit(void) {}

#define PLAIN(bytes)                                                                                         \
    void __tsan_read##bytes(void *at);                                                                       \
    void __tsan_write##bytes(void *at);                                                                      \
    void __tsan_unaligned_read##bytes(void *at);                                                             \
    void __tsan_unaligned_write##bytes(void *at);                                                            \
    void __tsan_read##bytes(void *at) {                                                                      \
        access_plain((uintptr_t)at, bytes, false);                                                           \
    }                                                                                                        \
    void __tsan_write##bytes(void *at) {                                                                     \
        access_plain((uintptr_t)at, bytes, true);                                                            \
    }                                                                                                        \
    void __tsan_unaligned_read##bytes(void *at) {                                                            \
        access_plain((uintptr_t)at, bytes, false);                                                           \
    }                                                                                                        \
    void __tsan_unaligned_write##bytes(void *at) {                                                           \
        access_plain((uintptr_t)at, bytes, true);                                                            \
    }
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_read_range(void *at, size_t bytes);
void __tsan_write_range(void *at, size_t bytes);
void __tsan_read_range(void *at, size_t bytes) {
    access_plain((uintptr_t)at, bytes, false);
}
void __tsan_write_range(void *at, size_t bytes) {
    access_plain((uintptr_t)at, bytes, true);
}

/* clang's, for copies of structures. */
void *__tsan_memcpy(void *to, const void *from, size_t bytes);
void *__tsan_memmove(void *to, const void *from, size_t bytes);
void *__tsan_memset(void *to, int value, size_t bytes);
void *__tsan_memcpy(void *to, const void *from, size_t bytes) {
    return __tsan_memmove(to, from, bytes);
}
void *__tsan_memmove(void *to, const void *from, size_t bytes) {
    access_plain((uintptr_t)from, bytes, false);
    access_plain((uintptr_t)to, bytes, true);
    return memmove(to, from, bytes);
}
void *__tsan_memset(void *to, int value, size_t bytes) {
    access_plain((uintptr_t)to, bytes, true);
    return memset(to, value, bytes);
}

#define MODIFY(bits, type, name, change)                                                                     \
    type __tsan_atomic##bits##_##name(type *at, type by, int order);                                         \
    type __tsan_atomic##bits##_##name(type *at, type by, int order) {                                        \
        return (type)modify((uintptr_t)at, bits / 8, change, by, order, NULL);                               \
    }

#define ATOMIC(bits, type)                                                                                   \
    type __tsan_atomic##bits##_load(const type *at, int order);                                              \
    void __tsan_atomic##bits##_store(type *at, type value, int order);                                       \
    int __tsan_atomic##bits##_compare_exchange_strong(type *at, type *expected, type value, int order,       \
                                                      int failure);                                          \
    type __tsan_atomic##bits##_load(const type *at, int order) {                                             \
        return (type)load((uintptr_t)at, bits / 8, order);                                                   \
    }                                                                                                        \
    void __tsan_atomic##bits##_store(type *at, type value, int order) {                                      \
        store((uintptr_t)at, bits / 8, value, order);                                                        \
    }                                                                                                        \
    int __tsan_atomic##bits##_compare_exchange_strong(type *at, type *expected, type value, int order,       \
                                                      int failure) {                                         \
        (void)failure; /* as strong as success: the orders of one exchange differ in its store alone */      \
        uint64_t wanted = *expected;                                                                         \
        uint64_t before = modify((uintptr_t)at, bits / 8, EXCHANGE, value, order, &wanted);                  \
        *expected = (type)before;                                                                            \
        return before == wanted;                                                                             \
    }                                                                                                        \
    type __tsan_atomic##bits##_compare_exchange_val(type *at, type expected, type value, int order,          \
                                                    int failure);                                            \
    type __tsan_atomic##bits##_compare_exchange_val(type *at, type expected, type value, int order,          \
                                                    int failure) { /* clang's */                             \
        __tsan_atomic##bits##_compare_exchange_strong(at, &expected, value, order, failure);                 \
        return expected;                                                                                     \
    }                                                                                                        \
    MODIFY(bits, type, exchange, EXCHANGE)                                                                   \
    MODIFY(bits, type, fetch_add, ADD)                                                                       \
    MODIFY(bits, type, fetch_sub, SUB)                                                                       \
    MODIFY(bits, type, fetch_and, AND)                                                                       \
    MODIFY(bits, type, fetch_or, OR)                                                                         \
    MODIFY(bits, type, fetch_xor, XOR)

ATOMIC(8, uint8_t)
ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_signal_fence(int order);
void __tsan_atomic_thread_fence(int order) {
    fence(order);
}
void __tsan_atomic_signal_fence(int order) {
    (void)order;
}

/* ---- runs ---- */

static void reset_threads(void) {
    for (int i = 0; i < thread_count; i++) {
        struct coroutine *self = &threads[i];
        char *stack = self->stack;
        self->started = self->done = false;
        self->awaits = NULL;
        self->yielded_at = UINT64_MAX;
        memset(&self->knows, 0, sizeof self->knows);
        memset(&self->acquired, 0, sizeof self->acquired);
        memset(&self->released, 0, sizeof self->released);
        self->knows.clock[i] = 1;
        self->stack = stack;
    }
}

static void run_once(void) {
    memset(arena + arena_kept, 0, arena_used - arena_kept);
    arena_used = arena_kept;
    reset_threads();
    steps = 0;
    trace_count = choice_at = 0;
    pruned = false;
    preemptions_left = subject->preemptions;
    stale_left = subject->stale;
    current = 0;
    running = logging = true;
    int next;
    while (!pruned && !failed && (next = pick()) >= 0) {
        resume(next);
        if (steps >= (subject->steps != 0 ? subject->steps : STEPS_MAX))
            pruned = true;
    }
    running = false;
    for (int i = 0; i < thread_count && !pruned && !failed; i++)
        if (!threads[i].done)
            error("a thread waits for ever", "machine", 0, 0);
    current = 0;
    if (!pruned && !failed && subject->end != NULL)
        subject->end();
    logging = false;
    restore_memory();
}

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

/* Forgets which words are hot, for the next subject. */
static void forget(void) {
    for (int i = 0; i < hot_count; i++)
        granule_of(hot[i].at)->hot = -1;
    hot_count = unchecked_count = 0;
}

/* True: as expected. */
static bool explore(double seconds) {
    double start = now();
    uint64_t runs = 0, prunes = 0;
    bool cut = false;
    forget();
    for (thread_count = 0; thread_count < THREADS && subject->thread[thread_count] != NULL; thread_count++)
        if (threads[thread_count].stack == NULL)
            threads[thread_count].stack = malloc(STACK_BYTES);
    memset(arena, 0, arena_used);
    arena_used = 0;
    if (subject->begin != NULL)
        subject->begin();
    arena_kept = arena_used;
    failed = false;
    choice_count = 0;
    all_steps = 0;
    do {
        found_hot = false;
        run_once();
        runs++;
        prunes += pruned;
        if (found_hot) { /* what was seen up to now took it for a word of one thread */
            choice_count = 0;
            runs = prunes = 0;
            failed = false;
        } else if (failed || !next_run())
            break;
        cut = seconds > 0 && now() - start > seconds;
    } while (!cut);
    printf("%-34s %9lu runs (%lu pruned), %10lu steps, %2d shared words, %6.1f s: %s\n", subject->name,
           (unsigned long)runs, (unsigned long)prunes, (unsigned long)all_steps, hot_count, now() - start,
           failed ? (subject->fails ? "fails, as it must" : "FAILED")
           : cut  ? "cut"
                  : (subject->fails ? "FAILED: found nothing" : "all"));
    fflush(stdout);
    return failed == subject->fails || (cut && !failed && !subject->fails);
}

int machine_main(int argc, char **argv, const struct subject *subjects) {
    const char *only = NULL;
    int preemptions = -2, stale = -2, bad = 0;
    double seconds = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--preemptions") == 0)
            preemptions = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--stale") == 0)
            stale = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--seconds") == 0)
            seconds = atof(argv[i + 1]);
        else if (strcmp(argv[i], "--only") == 0)
            only = argv[i + 1];
        else
            give_up("options: --preemptions N, --stale N, --seconds N, --only NAME");
    }
    for (; subjects->name != NULL; subjects++) {
        struct subject one = *subjects;
        if (only != NULL && strcmp(only, one.name) != 0)
            continue;
        if (preemptions != -2 && !one.fails)
            one.preemptions = preemptions;
        if (stale != -2 && !one.fails)
            one.stale = stale;
        subject = &one;
        fflush(NULL);
        pid_t child = fork(); /* the code's own statics are as at the start */
        if (child == 0)
            exit(explore(seconds) ? 0 : 1);
        int status = 0;
        bad += waitpid(child, &status, 0) != child || status != 0;
        if (WIFSIGNALED(status))
            fprintf(stderr, "%s: killed by signal %d\n", one.name, WTERMSIG(status));
    }
    return bad != 0;
}
