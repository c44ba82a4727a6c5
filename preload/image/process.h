/* process.h - what the kernel says of this process: for the header, and for names of files.
 * Threads: any.  Signals: safe.  Heap: never. */
#ifndef HEAPTALLY_PROCESS_H
#define HEAPTALLY_PROCESS_H

#include <stddef.h>
#include <stdint.h>

struct ht_header;

/* Start time of a process in clock ticks since boot, field 22 of /proc/PID/stat; 0: no such process. */
uint64_t process_start_ticks(uint32_t pid);

/* Fills in everything about this process: ids, times, executable, arguments. */
void process_describe(struct ht_header *header);

/* What the program is called, without directories. */
const char *process_name(const struct ht_header *header);

#endif
