/* world.h - a heap whose frames the test makes up: what tests of statistics begin with.
 *
 *     struct world world = world_begin();
 *     WORLD_ADD(&world, 2, 100, MAIN, FILL);                2 blocks of 100 bytes, by FILL called by MAIN
 *     world_group(&world, (struct query){.keys = {KEY_LINENO}});
 *     expect_line(&world, 0, "/src/a.c", 9, 200, 2);
 *     world_end(&world); */
#ifndef HEAPTALLY_TESTS_WORLD_H
#define HEAPTALLY_TESTS_WORLD_H

#include "check.h"
#include "fake_symbols.h"
#include "make_snapshot.h"
#include "stats/statistics.h"

struct world {
    struct tables *tables;
    struct model *model;
    struct symbols *symbols;
    struct frames *frames;
    struct traces *traces;
    struct statistics statistics;
    uint32_t module;
};

/* Addresses in /lib/libx.so that are known: a.c:10 in main; a.c:9 in fill; operator new; push_back, inlined
 * into Table::add at table.cc:21; a function without a line; nothing. */
enum { MAIN = 0x100, FILL = 0x200, NEW = 0x300, VECTOR = 0x400, HIDDEN = 0x500, NAMELESS = 0x600 };

struct world world_begin(void);
void world_end(struct world *world);

/* A stack of addresses, outermost first; a return address is one more than the call. */
void world_add(struct world *world, uint64_t count, uint64_t size, size_t depth, const uint64_t *addresses);

#define WORLD_ADD(world, count, size, ...)                                                                   \
    world_add(world, count, size, sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t),                      \
              (uint64_t[]){__VA_ARGS__})

/* Makes world->traces of what was added. */
void world_load(struct world *world);

/* Makes world->statistics, of world_load if there are no traces yet. */
void world_group(struct world *world, struct query query);

const struct frame *row_frame(const struct world *world, size_t row);
void expect_line(const struct world *world, size_t row, const char *file, uint32_t line, int64_t size,
                 int64_t count);

/* 1 byte in a.c:10, 10 in a.c:9 called from a.c:10 (of domain 7), 100 in table.cc called from a.c:10, 1000
 * without a line. */
struct world world_filtered(void);

/* 1 byte outside of scopes without a tag, 10 in scope "load", 100 in "load/parse" with the tag "red", 1000
 * in "loader", 10000 outside with the tag "blue/red", 100000 of domain 7 in "unload/parse" with "red". */
struct world world_scoped(void);

/* The sum of what `count` filters, at most 4, leave of the world. */
int64_t world_left(struct world *world, const struct filter *filters, size_t count);

#endif
