/* torture.h - the parts of torture.cc: stacks that an unwinder may get wrong, each with allocations inside.
 * Threads: one at a time, since they share one sequence of choices.  Heap: that is the point. */
#ifndef TORTURE_H
#define TORTURE_H

#include <cstdint>

/* Allocates and frees, from whatever stack calls it. */
extern "C" void torture_visit();

/* The next of a seeded sequence, below `below`. */
unsigned torture_choose(unsigned below);

/* Code that no file contains, with frame pointers and without, now and then rewritten where it is. */
void torture_generated_code();

/* A small function is interrupted at every instruction, and the handler allocates. x86-64; else does nothing.
 */
void torture_every_instruction();

/* Two libraries of the same extent and other frames, loaded in turn, most likely at one address. */
void torture_libraries(const char *one, const char *two);

#endif
