/* model_blocks.c - preload/blocks.c, compiled as it is: put, remove and sweeps that move pages. */
#include "machine.h"

#include "platform/sys.h"

#include <stddef.h>

/* A turn of a loop that waits. */
#define __builtin_ia32_pause() machine_yield()
#include "blocks.c"

/* ---- what the table stands on, besides memory.c ---- */

static _Alignas(4096) char moved_to[4 * 4096];

void sys_yield(void) {
    machine_yield();
}

size_t sys_page_bytes(void) {
    return 4096;
}

void *sys_move_pages(void *address, size_t bytes) {
    machine_move(moved_to, address, bytes);
    return moved_to;
}

/* ---- experiments ---- */

#define PLACE ((uintptr_t)0x7f0000001000)
#define CELL  5u

static uint32_t handed, back;                    /* (atomic) the program's own hand-over of the pointer */
static uint64_t size_bytes;                      /* of the blocks: which plane */
static struct blocks_near near[MACHINE_THREADS]; /* each its own */

static void begin_with(uint64_t bytes) {
    struct block old;
    size_bytes = bytes;
    blocks_put(PLACE, (struct block){bytes, CELL}, &old); /* so that the leaf is there */
    blocks_remove(PLACE);
    for (int i = 0; i < MACHINE_THREADS; i++) {
        blocks_near_open(&near[i]);
        blocks_near_note(&near[i], PLACE);
    }
}

static void begin_small(void) {
    begin_with(24);
}

static void begin_medium(void) {
    begin_with(600);
}

/* As track.c does: the short way, where there is one. */
static void put_one(uintptr_t at, uint32_t cell) {
    struct block old, block = {size_bytes, cell};
    uint32_t *place = size_bytes < SMALL_LIMIT ? blocks_near_place(&near[machine_self()], at) : NULL;
    if (place == NULL || !blocks_near_put(place, at, block))
        EXPECT(blocks_put(at, block, &old) == BLOCKS_PUT);
}

static void remove_one(uintptr_t at, uint32_t cell) {
    struct block block;
    if (!blocks_near_remove(&near[machine_self()], at, &block))
        block = blocks_remove(at);
    EXPECT(block.cell == cell && (cell == 0 || block.size_bytes == size_bytes));
}

/* The page of the place, as sweep_leaf takes it. */
static void sweep_page(void) {
    struct blocks_leaf *leaf = blocks_find_leaf(PLACE);
    char *at = size_bytes < SMALL_LIMIT ? (char *)small_at(leaf, PLACE) : (char *)medium_at(leaf, PLACE);
    at -= (uintptr_t)at % PAGE;
    if (is_empty(at))
        take_away(leaf, at, PAGE);
}

static void put_and_hand_over(void) {
    put_one(PLACE, CELL);
    __atomic_store_n(&handed, 1, __ATOMIC_RELEASE);
}

static void take_over_and_remove(void) {
    machine_await(&handed, 1);
    EXPECT(blocks_known(PLACE));
    remove_one(PLACE, CELL);
    __atomic_store_n(&back, 1, __ATOMIC_RELEASE);
}

/* The allocator gives the address out again. */
static void put_again(void) {
    put_one(PLACE, CELL);
    __atomic_store_n(&handed, 1, __ATOMIC_RELEASE);
    machine_await(&back, 1);
    put_one(PLACE, CELL + 1);
    remove_one(PLACE, CELL + 1);
}

static void put_and_remove_twice(void) {
    put_one(PLACE, CELL);
    remove_one(PLACE, CELL);
    put_one(PLACE, CELL + 1);
    remove_one(PLACE, CELL + 1);
}

static void put_and_remove(void) {
    put_one(PLACE, CELL);
    remove_one(PLACE, CELL);
}

static void put_and_remove_neighbour(void) {
    put_one(PLACE + 1024, CELL);
    remove_one(PLACE + 1024, CELL);
}

static void remove_unknown(void) {
    EXPECT(!blocks_known(PLACE + 2048));
    remove_one(PLACE + 2048, 0);
}

static void sweep_twice(void) {
    sweep_page();
    sweep_page();
}

static void nothing_is_left(void) {
    EXPECT(!blocks_known(PLACE) && !blocks_known(PLACE + 1024));
    EXPECT((blocks_sweep_sequence & 1) == 0);
}

static void one_is_left(void) {
    EXPECT(blocks_known(PLACE));
    remove_one(PLACE, CELL);
    nothing_is_left();
}

/* ---- two threads that make the same leaf ---- */

static void put_in_new_leaf(void) {
    put_one(PLACE + ((uintptr_t)1 << 40), CELL);
}

static void put_in_new_leaf_too(void) {
    put_one(PLACE + ((uintptr_t)1 << 40) + 32, CELL + 1);
}

static void both_are_there(void) {
    remove_one(PLACE + ((uintptr_t)1 << 40), CELL);
    remove_one(PLACE + ((uintptr_t)1 << 40) + 32, CELL + 1);
}

/* ---- sizes from 4 GiB on: a side list ---- */

static void begin_huge(void) {
    begin_with((uint64_t)5 << 30);
}

static void put_and_remove_huge(void) {
    uintptr_t at = PLACE + ((uintptr_t)machine_self() << 13);
    put_one(at, CELL);
    remove_one(at, CELL);
}

int main(int argc, char **argv) {
    static const struct subject subjects[] = {
        {"put, sweep", begin_small, {put_and_hand_over, sweep_twice}, one_is_left, -1, -1, false, 0},
        {"put, remove, sweep",
         begin_small,
         {put_and_remove_twice, sweep_twice},
         nothing_is_left,
         3,
         2,
         false,
         0},
        {"put, remove, sweep: medium",
         begin_medium,
         {put_and_remove_twice, sweep_twice},
         nothing_is_left,
         3,
         2,
         false,
         0},
        {"hand over, sweep",
         begin_small,
         {put_again, take_over_and_remove, sweep_page},
         nothing_is_left,
         3,
         2,
         false,
         0},
        {"hand over, sweep: medium",
         begin_medium,
         {put_again, take_over_and_remove, sweep_page},
         nothing_is_left,
         4,
         2,
         false,
         0},
        {"two places, sweep",
         begin_small,
         {put_and_remove, put_and_remove_neighbour, sweep_page},
         nothing_is_left,
         2,
         1,
         false,
         0},
        {"unknown, sweep",
         begin_small,
         {remove_unknown, put_and_hand_over, sweep_page},
         one_is_left,
         3,
         1,
         false,
         0},
        {"a new leaf", begin_small, {put_in_new_leaf, put_in_new_leaf_too}, both_are_there, -1, -1, false, 0},
        {"sizes from 4 GiB on",
         begin_huge,
         {put_and_remove_huge, put_and_remove_huge, put_and_remove_huge},
         nothing_is_left,
         3,
         2,
         false,
         0},
        {NULL, NULL, {NULL}, NULL, 0, 0, false, 0},
    };
    return machine_main(argc, argv, subjects);
}
