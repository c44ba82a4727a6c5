/* births.c - see births.h.
 *
 * Three planes by requested size with the bounds of blocks.c, and for the same reason: in the small one a
 * block of less than 512 bytes has the 32 bytes (8 under blocks_exact) that it starts in to itself, in the
 * medium one 512, in the large one 8 KiB. A plane is root -> table -> piece of 4096 births, made on first
 * use.
 *
 *     birth   time 48 | present 1 | slot 15   and   number 40 | exponent 4 | mantissa 20 of the waste
 *
 * The word with the slot is stored last and removed first; a reader on another thread has the block by a
 * hand-over that orders both. Pieces and tables are published by a releasing compare-and-swap.
 *
 * Owns:    the table.
 * Threads: any, lock-free.  Signals: safe.  Heap: never. */
#include "births.h"

#include "blocks.h"
#include "platform/arena.h"
#include "platform/sys.h"

#define ADDRESS_BITS   48u
#define PIECE_BITS     12u
#define TABLE_BITS     16u
#define TIME_SHIFT     6u
#define SLOT_BITS      15u
#define SLOT_MASK      ((1u << SLOT_BITS) - 1)
#define PRESENT        ((uint64_t)1 << SLOT_BITS)
#define TIME_AT        (SLOT_BITS + 1)
#define MANTISSA_BITS  20u
#define WASTE_BITS     24u
#define LARGE_LIMIT    8192u
#define MEDIUM_SHIFT   9u
#define LARGE_SHIFT    13u
#define SMALLEST_SHIFT 3u /* of blocks_small_shift, which is not yet settled when the table is made */

struct entry {
    uint64_t born; /* (atomic) 0: none */
    uint64_t rest; /* (atomic) */
};

struct piece {
    struct entry entries[1u << PIECE_BITS];
};

struct table {
    struct piece *pieces[1u << TABLE_BITS]; /* (atomic) */
};

/* Roots for the planes of small, medium and large blocks. */
static struct table **roots[3]; /* (atomic) */

static uint64_t room_bytes; /* (atomic) that pieces may yet take */
static size_t (*measure)(void *);

void births_measure_by(size_t (*usable_size)(void *)) {
    measure = usable_size;
}

uint64_t births_waste(void *block, uint64_t size_bytes) {
    uint64_t usable = measure != NULL ? measure(block) : 0;
    return usable > size_bytes ? usable - size_bytes : 0;
}

/* ---- pieces ---- */

/* tcmalloc's malloc_usable_size allocates when it is first called: here, where nobody traces it. */
void births_open(uint64_t most_bytes) {
    room_bytes = most_bytes;
    if (measure != NULL)
        measure(NULL);
    for (int i = 0; i < 3; i++) {
        uint32_t shift = i == 0 ? SMALLEST_SHIFT : i == 1 ? MEDIUM_SHIFT : LARGE_SHIFT;
        roots[i] =
            arena_map(((uint64_t)1 << (ADDRESS_BITS - shift - PIECE_BITS - TABLE_BITS)) * sizeof **roots);
    }
}

/* Publishes `fresh` in an empty place, or takes what another thread has put there. */
static void *publish(void **place, void *fresh, size_t bytes) {
    void *present = NULL;
    /* acq_rel: partner of the acquire loads in entry_at */
    if (fresh == NULL ||
        __atomic_compare_exchange_n(place, &present, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return fresh;
    sys_unmap(fresh, bytes);
    return present;
}

static struct piece *new_piece(void) {
    uint64_t room = __atomic_load_n(&room_bytes, __ATOMIC_RELAXED);
    do {
        if (room < sizeof(struct piece))
            return NULL;
    } while (!__atomic_compare_exchange_n(&room_bytes, &room, room - sizeof(struct piece), false,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return arena_map(sizeof(struct piece));
}

struct place {
    struct table **root;
    uint64_t index; /* in the plane */
};

static struct place place_of(uintptr_t address, uint64_t size_bytes) {
    if (size_bytes < BLOCKS_SMALL_LIMIT)
        return (struct place){roots[0], (uint64_t)address >> blocks_small_shift()};
    if (size_bytes < LARGE_LIMIT)
        return (struct place){roots[1], (uint64_t)address >> MEDIUM_SHIFT};
    return (struct place){roots[2], (uint64_t)address >> LARGE_SHIFT};
}

/* The entry of a block; null if there is none, or, with make, no room for it. */
static struct entry *entry_at(uintptr_t address, uint64_t size_bytes, bool make) {
    struct place place = place_of(address, size_bytes);
    uint64_t piece_index = place.index >> PIECE_BITS;
    if (place.root == NULL || address >> ADDRESS_BITS != 0)
        return NULL;
    struct table **root = &place.root[piece_index >> TABLE_BITS];
    struct table *table = __atomic_load_n(root, __ATOMIC_ACQUIRE);
    if (table == NULL && make)
        table = publish((void **)root, arena_map(sizeof *table), sizeof *table);
    if (table == NULL)
        return NULL;
    struct piece **piece_at = &table->pieces[piece_index & ((1u << TABLE_BITS) - 1)];
    struct piece *piece = __atomic_load_n(piece_at, __ATOMIC_ACQUIRE);
    if (piece == NULL && make)
        piece = publish((void **)piece_at, new_piece(), sizeof *piece);
    return piece != NULL ? &piece->entries[place.index & ((1u << PIECE_BITS) - 1)] : NULL;
}

/* ---- entries ---- */

/* The upper MANTISSA_BITS of a number, and how many bits are beneath them. */
static uint64_t pack_waste(uint64_t bytes) {
    uint64_t exponent = 0, most = (uint64_t)1 << MANTISSA_BITS,
             last = (1u << (WASTE_BITS - MANTISSA_BITS)) - 1;
    for (; bytes >= most && exponent != last; bytes >>= 1)
        exponent++;
    return exponent << MANTISSA_BITS | (bytes < most ? bytes : most - 1);
}

static uint64_t unpack_waste(uint64_t packed) {
    return (packed & (((uint64_t)1 << MANTISSA_BITS) - 1)) << (packed >> MANTISSA_BITS);
}

static struct birth unpack(uint64_t born, uint64_t rest) {
    return (struct birth){.time_ns = born >> TIME_AT << TIME_SHIFT,
                          .number = rest >> WASTE_BITS,
                          .waste_bytes = unpack_waste(rest & (((uint64_t)1 << WASTE_BITS) - 1)),
                          .slot = (uint32_t)born & SLOT_MASK};
}

bool births_put(uintptr_t address, uint64_t size_bytes, struct birth *birth) {
    struct entry *entry = entry_at(address, size_bytes, true);
    if (entry == NULL)
        return false;
    uint64_t born = birth->time_ns >> TIME_SHIFT << TIME_AT | PRESENT | birth->slot;
    uint64_t rest = birth->number << WASTE_BITS | pack_waste(birth->waste_bytes);
    __atomic_store_n(&entry->rest, rest, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->born, born, __ATOMIC_RELEASE); /* partner: births_get, of a block in a handler */
    *birth = unpack(born, rest);
    return true;
}

struct birth births_get(uintptr_t address, uint64_t size_bytes) {
    const struct entry *entry = entry_at(address, size_bytes, false);
    uint64_t born = entry != NULL ? __atomic_load_n(&entry->born, __ATOMIC_ACQUIRE) : 0;
    return born != 0 ? unpack(born, __atomic_load_n(&entry->rest, __ATOMIC_RELAXED)) : (struct birth){0};
}

struct birth births_take(uintptr_t address, uint64_t size_bytes) {
    struct birth birth = births_get(address, size_bytes);
    if (birth.slot != 0)
        __atomic_store_n(&entry_at(address, size_bytes, false)->born, 0, __ATOMIC_RELAXED);
    return birth;
}
