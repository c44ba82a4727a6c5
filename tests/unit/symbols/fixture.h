/* fixture.h - what the tests of the symboliser share: where the fixtures are and what they hold. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "symbols.h"

#include <stdbool.h>

/* A path of a file in the build's fixtures; in static memory, four at a time. */
const char *fixture_path(const char *name);

bool fixture_exists(const char *name);

/* The value of a symbol, from .symtab of a fixture that is not stripped. Fails the test if there is none. */
uint64_t fixture_symbol(const char *name, const char *symbol);

/* The line of "MARK <mark>" in a fixture's source ("inlined.c"). Fails the test if there is none. */
unsigned fixture_line(const char *source, const char *mark);

/* Whether `path` ends in "/fixtures/<source>" and is absolute. */
bool fixture_is_source(const char *path, const char *source);

/* The build-id; returns how many bytes. */
size_t fixture_build_id(const char *name, uint8_t id[64]);

/* Resolves one address of a module without a known build-id, in a symboliser of its own that lives until the
 * next call. */
size_t fixture_resolve(const char *name, uint64_t address, struct symbols_frame frames[16]);
struct symbols_status fixture_status(void);

#endif
