/* start.h - the first event of a process: options, image, tables.
 *
 * It may come from the loader, before any constructor and before libc is set up: only system calls.
 * Threads: any.  Signals: no.  Heap: never. */
#ifndef HEAPTALLY_START_H
#define HEAPTALLY_START_H

#include <stdbool.h>

/* Tries once: the first call returns true if there is now an image to trace into, every other call false.
 * Does not return when an option is malformed. */
bool start_once(void);

#endif
