/* mappings.c - see mappings.h.
 *
 * Pieces have fixed places and a state, which alone say what is mapped. What makes them quick to find, a
 * treap by address (Seidel and Aragon, 1996) whose priorities are hashes of the pieces' numbers, and the list
 * of free ones, are made anew from them where whoever was changing the ledger is gone: in a forked child, or
 * after a vfork child was killed. For that each step of a change leaves pieces that overlap at most: of two
 * that do, the lower one ends where the upper one begins.
 *
 * Owns:    the pieces.   Holds: all but `holder` is changed by the holder alone.
 * Threads: see mappings.h.  Signals: safe.  Heap: never. */
#include "mappings.h"

#include "platform/arena.h"
#include "platform/sys.h"

#include <stddef.h>
#include <time.h>

enum state { PIECE_FREE = 0, PIECE_MAPPED, PIECE_TAKEN };

struct piece {
    uintptr_t start, end;
    uint32_t cell;
    uint32_t serial;      /* of the call that mapped it */
    uint32_t left, right; /* in the tree; of a piece that is free or taken, `right` is the next one */
    uint32_t state;       /* (atomic) enum state */
    uint32_t remains;     /* taken: how many parts it left behind when it was cut out: 0 to 2 */
};

#define CHUNK_BITS 12u
#define CHUNK      (1u << CHUNK_BITS)
#define CHUNKS     4096u
#define SUSPICION  64u /* turns after which we look whether the holder is still there */
#define PATIENCE_NS                                                                                          \
    1000000000u /* a change takes some microseconds, but the holder may be waiting for a processor */

static struct piece *chunks[CHUNKS];
static uint32_t used = 1; /* pieces below it have been free, mapped or taken; 0 is none */
static uint32_t root, free_pieces, serial, epoch;
static uint64_t holder; /* (atomic) process and thread of who changes the ledger; 0: nobody */

static inline struct piece *at(uint32_t id) {
    return &chunks[id >> CHUNK_BITS][id & (CHUNK - 1)];
}

/* release: a child that was forked in between must find all that was stored before */
static void set_state(struct piece *piece, enum state state) {
    __atomic_store_n(&piece->state, state, __ATOMIC_RELEASE);
}

static void set_end(struct piece *piece, uintptr_t end) {
    __atomic_store_n(&piece->end, end, __ATOMIC_RELEASE);
}

/* ---- the tree ---- */

/* A permutation of the numbers (the finaliser of MurmurHash3), so no two are equal. */
static uint32_t priority(uint32_t id) {
    id = (id ^ id >> 16) * 0x85EBCA6Bu;
    id = (id ^ id >> 13) * 0xC2B2AE35u;
    return id ^ id >> 16;
}

/* Parts a tree: pieces that start below the address, and the others. */
static void split(uint32_t tree, uintptr_t address, uint32_t *below, uint32_t *above) {
    while (tree != 0)
        if (at(tree)->start < address) {
            *below = tree;
            below = &at(tree)->right;
            tree = *below;
        } else {
            *above = tree;
            above = &at(tree)->left;
            tree = *above;
        }
    *below = *above = 0;
}

/* All of `below` lie below all of `above`. */
static uint32_t join(uint32_t below, uint32_t above) {
    uint32_t tree, *link = &tree;
    while (below != 0 && above != 0)
        if (priority(below) > priority(above)) {
            *link = below;
            link = &at(below)->right;
            below = *link;
        } else {
            *link = above;
            link = &at(above)->left;
            above = *link;
        }
    *link = below != 0 ? below : above;
    return tree;
}

static void insert(uint32_t id) {
    uint32_t below, above;
    split(root, at(id)->start, &below, &above);
    at(id)->left = at(id)->right = 0;
    root = join(join(below, id), above);
}

static void remove_from_tree(uint32_t id) {
    uint32_t *link = &root;
    while (*link != id)
        link = at(id)->start < at(*link)->start ? &at(*link)->left : &at(*link)->right;
    *link = join(at(id)->left, at(id)->right);
}

/* The lowest piece that ends beyond the address, or 0. */
static uint32_t find(uintptr_t address) {
    uint32_t found = 0, tree = root;
    while (tree != 0)
        if (at(tree)->end > address) {
            found = tree;
            tree = at(tree)->left;
        } else {
            tree = at(tree)->right;
        }
    return found;
}

/* ---- pieces ---- */

static void set_free(uint32_t id) {
    set_state(at(id), PIECE_FREE);
    at(id)->right = free_pieces;
    free_pieces = id;
}

/* Makes sure that so many pieces are free. */
static bool reserve(uint32_t count) {
    uint32_t id = free_pieces;
    for (; count != 0 && id != 0; count--)
        id = at(id)->right;
    for (; count != 0; count--) {
        struct piece **chunk = &chunks[used >> CHUNK_BITS];
        if (used >> CHUNK_BITS >= CHUNKS)
            return false;
        if (*chunk == NULL && (*chunk = arena_map(CHUNK * sizeof **chunk)) == NULL)
            return false;
        set_free(used++);
    }
    return true;
}

/* After reserve. */
static uint32_t new_piece(struct piece piece) {
    uint32_t id = free_pieces;
    free_pieces = at(id)->right;
    piece.state = PIECE_FREE;
    *at(id) = piece;
    set_state(at(id), PIECE_MAPPED);
    insert(id);
    return id;
}

/* Cuts the piece in two where the address is inside. */
static void cut(uint32_t id, uintptr_t address) {
    struct piece *piece = at(id);
    if (piece->start >= address || piece->end <= address)
        return;
    new_piece(
        (struct piece){.start = address, .end = piece->end, .cell = piece->cell, .serial = piece->serial});
    set_end(piece, address);
}

/* As `cut`, of whichever piece. True: there was one. */
static bool cut_at(uintptr_t address) {
    uint32_t id = find(address);
    bool inside = id != 0 && at(id)->start < address;
    if (inside)
        cut(id, address);
    return inside;
}

/* After reserve(2). */
static struct mappings_taken take(uintptr_t start, uintptr_t end) {
    struct mappings_taken taken = {0, epoch};
    bool below = cut_at(start), above = cut_at(end);
    for (uint32_t id; (id = find(start)) != 0 && at(id)->start < end;) {
        struct piece *piece = at(id);
        remove_from_tree(id);
        piece->remains = below && piece->start == start;
        piece->remains += above && piece->end == end;
        set_state(piece, PIECE_TAKEN);
        piece->right = taken.first;
        taken.first = id;
    }
    return taken;
}

/* Joins a piece with the one that follows, if both are of one call and touch. True: they were. */
static bool join_pieces(uint32_t id, uint32_t next) {
    struct piece *low = at(id), *high = at(next);
    if (id == 0 || next == 0 || low->end != high->start || low->serial != high->serial ||
        low->cell != high->cell)
        return false;
    remove_from_tree(next);
    set_end(low, high->end);
    set_free(next);
    return true;
}

/* Returns how many parts are now more than there were before it was taken out. */
static uint32_t put_back(uint32_t id) {
    struct piece *piece = at(id);
    uint32_t joined = 0;
    set_state(piece, PIECE_MAPPED);
    insert(id);
    joined += join_pieces(id, find(piece->end));
    joined += join_pieces(find(piece->start - 1), id);
    return piece->remains > joined ? piece->remains - joined : 0;
}

/* ---- one at a time ---- */

/* Enters a piece of a ledger that was left in the middle of a change. */
static void insert_clipped(uint32_t id) {
    struct piece *piece = at(id);
    uint32_t next = find(piece->start);
    if (next != 0 && at(next)->start < piece->start) {
        at(next)->end = piece->start;
        next = find(piece->start);
    }
    if (next != 0 && piece->end > at(next)->start)
        piece->end = at(next)->start;
    if (piece->start < piece->end)
        insert(id);
    else
        set_free(id);
}

static void make_anew(bool forked) {
    root = free_pieces = 0;
    for (uint32_t id = 1; id < used; id++)
        if (at(id)->state == PIECE_MAPPED)
            insert_clipped(id);
        else if (at(id)->state == PIECE_FREE || forked)
            set_free(id);
}

static bool replace_holder(uint64_t *now, uint64_t self) {
    return __atomic_compare_exchange_n(&holder, now, self, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static bool is_gone(uint64_t who) {
    return !sys_thread_exists((uint32_t)(who >> 32), (uint32_t)who);
}

/* A vfork child shares the memory, and may be killed alone. */
static bool inherit(uint64_t *dead, uint64_t self) {
    if (!is_gone(*dead) || !replace_holder(dead, self))
        return false;
    make_anew(false);
    return true;
}

/* Comes back when nobody is there any more, or false when that takes too long. */
static bool wait_and_hold(uint64_t self) {
    uint64_t now = 0, begun_ns = 0;
    for (uint32_t turn = 1; !replace_holder(&now, self); turn++, now = 0) {
        sys_yield();
        if (turn % SUSPICION != 0)
            continue;
        uint64_t clock_ns = sys_clock_ns(CLOCK_MONOTONIC);
        begun_ns = begun_ns != 0 ? begun_ns : clock_ns;
        if (inherit(&now, self))
            return true;
        if (clock_ns - begun_ns > PATIENCE_NS)
            return false;
    }
    return true;
}

/* With signals blocked a thread neither is cancelled, nor jumps out, nor meets itself here. */
static bool enter_ledger(uint64_t *signals) {
    *signals = sys_block_signals();
    if (wait_and_hold((uint64_t)sys_pid() << 32 | sys_tid()))
        return true;
    sys_set_signals(*signals);
    return false;
}

static void leave_ledger(uint64_t signals) {
    __atomic_store_n(&holder, 0, __ATOMIC_RELEASE); /* partner: replace_holder */
    sys_set_signals(signals);
}

/* ---- the story ---- */

bool mappings_take(uintptr_t start, uintptr_t end, struct mappings_taken *taken) {
    uint64_t signals;
    *taken = (struct mappings_taken){0, 0};
    if (start >= end)
        return true;
    if (!enter_ledger(&signals))
        return false;
    bool room = reserve(2);
    if (room)
        *taken = take(start, end);
    leave_ledger(signals);
    return room;
}

bool mappings_enter(uintptr_t start, uintptr_t end, uint32_t cell, struct mappings_taken *replaced) {
    uint64_t signals;
    *replaced = (struct mappings_taken){0, 0};
    if (start >= end || !enter_ledger(&signals))
        return false;
    bool room = reserve(3);
    if (room) {
        *replaced = take(start, end);
        new_piece((struct piece){.start = start, .end = end, .cell = cell, .serial = ++serial});
    }
    leave_ledger(signals);
    return room;
}

static void count_freed(const struct piece *piece, mappings_count *count, void *to) {
    count(to, piece->cell, piece->remains == 0, piece->end - piece->start, true);
    if (piece->remains == 2)
        count(to, piece->cell, 1, 0, false);
}

static void set_all_free(struct mappings_taken taken) {
    uint64_t signals;
    if (taken.first == 0 || !enter_ledger(&signals))
        return; /* their places are lost */
    for (uint32_t id = taken.first, next; id != 0 && taken.epoch == epoch; id = next) {
        next = at(id)->right;
        set_free(id);
    }
    leave_ledger(signals);
}

/* Another epoch: a handler has forked in between, and the child has not inherited them. */
static bool is_void(struct mappings_taken taken) {
    return taken.first == 0 || taken.epoch != __atomic_load_n(&epoch, __ATOMIC_RELAXED);
}

void mappings_release(struct mappings_taken taken, mappings_count *count, void *to) {
    if (is_void(taken))
        return;
    for (uint32_t id = taken.first; id != 0; id = at(id)->right)
        count_freed(at(id), count, to);
    set_all_free(taken);
}

/* Parts the list in two. */
static void sort_out(struct mappings_taken taken, struct mappings_taken *mapped,
                     struct mappings_taken *gone) {
    *mapped = *gone = (struct mappings_taken){0, taken.epoch};
    for (uint32_t id = taken.first, next; id != 0; id = next) {
        struct piece *piece = at(id);
        struct mappings_taken *list = sys_is_mapped(piece->start, piece->end - piece->start) ? mapped : gone;
        next = piece->right;
        piece->right = list->first;
        list->first = id;
    }
}

uint64_t mappings_restore(struct mappings_taken taken, bool check, mappings_count *count, void *to) {
    struct mappings_taken gone = {0, taken.epoch};
    uint64_t signals, lost_bytes = 0;
    if (is_void(taken))
        return 0;
    if (check)
        sort_out(taken, &taken, &gone);
    mappings_release(gone, count, to);
    if (!enter_ledger(&signals)) {
        for (uint32_t id = taken.first; id != 0; id = at(id)->right)
            lost_bytes += at(id)->end - at(id)->start;
        mappings_release(taken, count, to);
        return lost_bytes;
    }
    for (uint32_t id = taken.first, next; id != 0; id = next) {
        uint32_t cell = at(id)->cell;
        next = at(id)->right;
        uint32_t more = put_back(id);
        if (more != 0)
            count(to, cell, more, 0, false);
    }
    leave_ledger(signals);
    return 0;
}

void mappings_after_fork(void) {
    __atomic_store_n(&holder, 0, __ATOMIC_RELAXED);
    epoch++;
    make_anew(true);
}

bool mappings_each(void (*visit)(uint32_t cell, uint64_t size_bytes)) {
    uint64_t signals;
    if (!enter_ledger(&signals))
        return false;
    for (uint32_t id = 1; id < used; id++)
        if (at(id)->state != PIECE_FREE)
            visit(at(id)->cell, at(id)->end - at(id)->start);
    leave_ledger(signals);
    return true;
}
