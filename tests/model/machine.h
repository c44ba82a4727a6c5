/* machine.h - runs a few threads of real, compiled code under every schedule and every value that a load may
 * give, within bounds.
 *
 * What is to be checked is compiled with -fsanitize=thread, which turns each load and store into a call; the
 * functions called are this machine's and not ThreadSanitizer's. So no line of the code is paraphrased.
 * Threads are coroutines that stop before each atomic operation on a word that several of them use; a
 * depth-first search over which goes next, and over which store a load reads from, repeats the run until
 * nothing is left.
 *
 * Memory: the release and acquire of C11 by views (each word has its stores in the order in which they were
 * made; a load reads any store that is not older than the newest one its thread knows of; a release passes on
 * what a thread knows, an acquire takes it). So a store may be seen late, loads may seem out of order. Not
 * modelled: a load that reads from a store which its own thread makes later than that in program order, and
 * two words' stores in opposite orders of 2+2W; x86 has neither. Words are of 8 bytes, aligned: two 4-byte
 * entries in one share its order.
 *
 * Plain accesses of two threads to the same bytes, one of them a store, with nothing that orders them, are a
 * data race and an error. Memory is restored between two runs, as far as instrumented code has written it. */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MACHINE_THREADS 4

/* One experiment. begin is run once, alone; then for each schedule all threads, and end, alone. */
struct subject {
    const char *name;
    void (*begin)(void);
    void (*thread[MACHINE_THREADS])(void); /* up to the first null one */
    void (*end)(void);
    int preemptions; /* how often a thread may be stopped that could go on; -1: without bound */
    int stale;       /* how many loads may read a store that is not the newest; -1: without bound */
    bool fails;      /* expected to: the experiment shows that the machine finds it */
    uint32_t steps;  /* a run with more is a loop that waits, and is pruned; 0: many */
};

/* main of a test: runs subjects up to one without a name. Options: --preemptions N, --stale N (for all
 * subjects, as above), --only NAME, --seconds N (a subject that takes longer is cut; default: never).
 * 0: all as expected. */
int machine_main(int argc, char **argv, const struct subject *subjects);

/* For threads and end: an error, with the schedule that led to it, if it does not hold. */
#define EXPECT(condition) machine_expect((condition), #condition, __FILE__, __LINE__)
void machine_expect(bool condition, const char *text, const char *file, int line);

/* Which thread is running; 0 in begin and end. */
int machine_self(void);

/* Waits until the word is `value`, and acquires it: the traced program's own order. */
void machine_await(const uint32_t *word, uint32_t value);

/* A loop that waits has come round: others go first, and what they stored is seen. */
void machine_yield(void);

/* This run leads nowhere new: ends it, without an error. */
void machine_prune(void);

/* A step as any atomic operation: what follows, up to the next, is done at once. */
void machine_step(const char *what);

/* Takes the bytes at `from` away to `to` and leaves zeros, for all threads at once (mremap): addresses are
 * multiples of 8. */
void machine_move(void *to, void *from, size_t bytes);

/* Zeroed memory of this run alone, from the machine's own; ends the test when there is no more. */
void *machine_memory(size_t bytes);

/* Bytes whose plain accesses are not checked for races. */
void machine_no_races(const void *at, size_t bytes);

#endif
