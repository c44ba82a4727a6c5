/* support.h - what the unit tests of the preload modules share.
 *
 * Tables are static: a test program sets up its image once (setup_image), and what needs a process of its
 * own runs in a forked child (in_child). Checks in threads and children count failures, since cmocka's
 * assertions jump, and only the main thread of the first process may. */
#ifndef UNIT_SUPPORT_H
#define UNIT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "unwind/stack_hash.h"

/* How much of a stress to do. */
#ifdef UNIT_LIGHT
#define SCALED(n) ((n) / 10)
#else
#define SCALED(n) (n)
#endif

/* splitmix64; the state is the seed. */
uint64_t random_next(uint64_t *state);
uint64_t random_below(uint64_t *state, uint64_t bound);

/* A directory of this test alone, made on the first call, removed with its files at exit. */
const char *test_directory(void);

/* Reads options from "NAME=VALUE" settings up to a null pointer, on top of HEAPTALLY_DIR = HEAPTALLY_OUT's
 * directory = test_directory(). Fails the test if they are malformed. */
void set_options(const char *first, ...) __attribute__((sentinel));

/* cmocka group set-up: options as above with 256 MiB of tables, an image, its stacks begun. */
int setup_image(void **state);
/* The image alone, with the options as they are. */
bool begin_image(void);

/* Runs body in a forked child; how many CHECKs failed there (or -1 when it was killed by a signal). */
int in_child(void (*body)(void));

/* The points at which the image's stacks are hashed. */
struct stack_hash test_point(void);

/* For threads and children: prints and counts. */
#define CHECK(condition) check_that((condition), #condition, __FILE__, __LINE__)
bool check_that(bool condition, const char *text, const char *file, int line);
int failed_checks(void);

#endif
