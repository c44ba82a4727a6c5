/* options.h - what the environment asks of the tracer, read once.
 *
 * | variable            | value                                             | default                      |
 * |---------------------|---------------------------------------------------|------------------------------|
 * | HEAPTALLY_DIR       | directory for live images                         | /dev/shm/heaptally-UID       |
 * | HEAPTALLY_OUT       | snapshot name: %e %p %n %l %%                     | heaptally.%e.%p.%n.hts       |
 * | HEAPTALLY_NFRAME    | frames kept per stack, 1 to 65535                 | 128                          |
 * | HEAPTALLY_SIGNAL    | signal name or number; 0 or none: no signal       | SIGUSR2                      |
 * | HEAPTALLY_OVERWRITE | 1: replace existing files                         | 0                            |
 * | HEAPTALLY_FOLLOW    | 0: trace neither forked nor exec'ed children      | 1                            |
 * | HEAPTALLY_MMAP      | 1: mappings are counted, in a domain of their own | 0                            |
 * | HEAPTALLY_MEMORY    | bytes of tables, suffix K, M or G; at least 1M    | 256M                         |
 * | HEAPTALLY_UNWINDER  | cfi (x86-64), libunwind, fp or gcc                | cfi, or libunwind            |
 * | HEAPTALLY_SAMPLE    | mean bytes between traced ones; 0: trace all       | 0                            |
 * | HEAPTALLY_START     | 0: trace only from heaptally_start() on           | 1                            |
 * | HEAPTALLY_DETAILS   | 1: count sizes, lifetimes, ages, waste, reallocs   | 0                            |
 * | HEAPTALLY_TEMPORARY | a block that dies before N allocations is that    | 1                            |
 * | HEAPTALLY_VERIFY_UNWIND | unwind every N-th stack twice; 0: none         | 0                            |
 * | HEAPTALLY_SESSION   | number that `heaptally run` gives to its run      | 0                            |
 *
 * Threads: call once, before there are others.  Signals: no.  Heap: never. */
#ifndef HEAPTALLY_OPTIONS_H
#define HEAPTALLY_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "heaptally_format.h"

enum unwinder_choice { UNWINDER_DEFAULT, UNWINDER_LIBUNWIND, UNWINDER_GCC, UNWINDER_FRAME_POINTER };

struct options {
    char directory[HT_PATH_BYTES];
    bool directory_given;
    char out[HT_PATH_BYTES]; /* absolute, pattern not expanded */
    char working_directory[HT_PATH_BYTES];
    uint32_t nframe;
    int signal; /* 0: none */
    bool overwrite;
    bool follow;
    bool start;
    bool mappings;
    uint64_t memory_bytes;
    uint64_t session;
    uint64_t sample_bytes; /* 0: exact */
    uint64_t verify_every; /* 0: never */
    bool details;
    uint64_t temporary_below; /* > 0 */
    enum unwinder_choice unwinder;
};

extern struct options options;

/* Reads `environment` (null-terminated, "NAME=VALUE") into `options`. Returns true, or false after
 * writing which variable is malformed and what it may be, a NUL-terminated line, to `message`. */
bool options_read(char *const *environment, char *message, uint32_t message_bytes);

/* Takes the library `own_name` (any path that ends so) out of LD_PRELOAD in `environment`, in place. */
void options_unfollow(char *const *environment, const char *own_name);

#endif
