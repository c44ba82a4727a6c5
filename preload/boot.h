/* boot.h - the order of things: first event, constructor, exit.
 *
 * The tracer starts at the first interposed call, which may come from the loader before any constructor:
 * options, image, tables need only system calls. The constructor adds what needs the loader: libunwind,
 * the list of modules, the signal handler.
 *
 * Threads: as said.  Heap: never, but for what the loader allocates for libunwind. */
#ifndef HEAPTALLY_BOOT_H
#define HEAPTALLY_BOOT_H

/* Starts the tracer if nobody has tried yet; a process in which it failed goes on untraced. Does not
 * return when an option is malformed. Any thread; its guard closed. */
void boot_start(void);

#endif
