/* model_machine.c - the machine itself: litmus tests whose outcomes are known, found where they are allowed
 * and not where they are not. */
#include "machine.h"

/* Each a word of the machine's own. */
static _Alignas(8) uint32_t x;
static _Alignas(8) uint32_t y;
static _Alignas(8) uint32_t data;
static _Alignas(8) uint32_t ready;
static _Alignas(8) uint32_t seen[2];

/* ---- store buffering: both may read 0 ---- */

static void store_x_load_y(void) {
    __atomic_store_n(&x, 1, __ATOMIC_RELEASE);
    seen[0] = __atomic_load_n(&y, __ATOMIC_ACQUIRE);
}

static void store_y_load_x(void) {
    __atomic_store_n(&y, 1, __ATOMIC_RELEASE);
    seen[1] = __atomic_load_n(&x, __ATOMIC_ACQUIRE);
}

static void one_was_seen(void) {
    EXPECT(seen[0] == 1 || seen[1] == 1);
}

/* The same by read-modify-writes of one word: an order for all. */
static void change_x_load_y(void) {
    __atomic_store_n(&x, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&ready, 1, __ATOMIC_ACQ_REL);
    seen[0] = __atomic_load_n(&y, __ATOMIC_RELAXED);
}

static void change_y_load_x(void) {
    __atomic_store_n(&y, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&ready, 1, __ATOMIC_ACQ_REL);
    seen[1] = __atomic_load_n(&x, __ATOMIC_RELAXED);
}

/* ---- message passing ---- */

static void send(void) {
    data = 42;
    __atomic_store_n(&ready, 1, __ATOMIC_RELEASE);
}

static void send_relaxed(void) {
    data = 42;
    __atomic_store_n(&ready, 1, __ATOMIC_RELAXED);
}

static void send_by_fence(void) {
    data = 42;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    __atomic_store_n(&ready, 1, __ATOMIC_RELAXED);
}

static void receive(void) {
    if (__atomic_load_n(&ready, __ATOMIC_ACQUIRE) == 1)
        EXPECT(data == 42);
}

static void receive_relaxed(void) {
    if (__atomic_load_n(&ready, __ATOMIC_RELAXED) == 1)
        EXPECT(data == 42);
}

static void receive_by_fence(void) {
    uint32_t now = __atomic_load_n(&ready, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (now == 1)
        EXPECT(data == 42);
}

static void await(void) {
    machine_await(&ready, 1);
    EXPECT(data == 42);
}

/* ---- coherence: a thread sees no word go back ---- */

static void count_up(void) {
    __atomic_store_n(&x, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&x, 2, __ATOMIC_RELAXED);
}

static void look_twice(void) {
    uint32_t first = __atomic_load_n(&x, __ATOMIC_RELAXED), second = __atomic_load_n(&x, __ATOMIC_RELAXED);
    EXPECT(first <= second);
}

/* Two words, stored in order without release: the second may be seen without the first. */
static void store_both(void) {
    __atomic_store_n(&x, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&y, 1, __ATOMIC_RELAXED);
}

static void load_both(void) {
    uint32_t second = __atomic_load_n(&y, __ATOMIC_RELAXED), first = __atomic_load_n(&x, __ATOMIC_RELAXED);
    EXPECT(!(second == 1 && first == 0));
}

/* ---- lost updates ---- */

static void add_in_two_steps(void) {
    __atomic_store_n(&x, __atomic_load_n(&x, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
}

static void add(void) {
    __atomic_fetch_add(&x, 1, __ATOMIC_RELAXED);
}

static void all_are_counted(void) {
    EXPECT(x == 2);
}

/* ---- memory is as it was ---- */

static void spoil(void) {
    EXPECT(data == 0 && x == 0);
    data = 7;
    __atomic_store_n(&x, 7, __ATOMIC_RELAXED);
}

int main(int argc, char **argv) {
    static const struct subject subjects[] = {
        {"store buffering", NULL, {store_x_load_y, store_y_load_x}, one_was_seen, -1, -1, true, 0},
        {"store buffering, ordered",
         NULL,
         {change_x_load_y, change_y_load_x},
         one_was_seen,
         -1,
         -1,
         false,
         0},
        {"message, release", NULL, {send, receive}, NULL, -1, -1, false, 0},
        {"message, relaxed store", NULL, {send_relaxed, receive}, NULL, -1, -1, true, 0},
        {"message, relaxed load", NULL, {send, receive_relaxed}, NULL, -1, -1, true, 0},
        {"message, fences", NULL, {send_by_fence, receive_by_fence}, NULL, -1, -1, false, 0},
        {"message, one fence", NULL, {send_by_fence, receive_relaxed}, NULL, -1, -1, true, 0},
        {"message, awaited", NULL, {send, await}, NULL, -1, -1, false, 0},
        {"coherence", NULL, {count_up, look_twice}, NULL, -1, -1, false, 0},
        {"relaxed stores", NULL, {store_both, load_both}, NULL, -1, -1, true, 0},
        {"a lost update", NULL, {add_in_two_steps, add_in_two_steps}, all_are_counted, -1, -1, true, 0},
        {"no lost update", NULL, {add, add}, all_are_counted, -1, -1, false, 0},
        {"memory restored", NULL, {spoil}, NULL, -1, -1, false, 0},
        {NULL, NULL, {NULL}, NULL, 0, 0, false, 0},
    };
    return machine_main(argc, argv, subjects);
}
