/* model_tables.c - preload/image and report/source, compiled as they are: threads that meet stacks and count
 * events, one that reads the image from outside or writes a snapshot meanwhile, and threads that inherit
 * slots.
 *
 * The kernel is a stub: one file, which is static memory; threads that are there or gone as an experiment
 * says. */
#include "machine.h"

#include "blocks.h"
#include "tracked.h"

#include "image/cells.h"
#include "image/counters.h"
#include "image/dead_images.h"
#include "image/image.h"
#include "image/modules.h"
#include "image/process.h"
#include "image/snapshot.h"
#include "image/stacks.h"
#include "image/threads.h"
#include "mappings.h"
#include "platform/arena.h"
#include "platform/options.h"
#include "platform/sys.h"
#include "source/model.h"
#include "source/snapshot.h"
#include "source/image.h"
#include "unwind/cfi.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/single_threaded.h>

/* ---- what they stand on ---- */

#define IMAGE_BYTES (16u << 20)
#define FILE_BYTES  (1u << 20)
#define PID         4000u

static char image[IMAGE_BYTES] __attribute__((aligned(65536)));
static char file[FILE_BYTES];
static size_t file_bytes;

struct options options;

void arena_meter(uint64_t *bytes) {
    (void)bytes;
}

void *arena_map(size_t bytes) {
    return machine_memory(bytes);
}

void *arena_take(size_t bytes) {
    return machine_memory(bytes);
}

void *sys_map(void *address, size_t bytes, int protection, int flags, int fd) {
    (void)address;
    (void)protection;
    (void)flags;
    (void)fd;
    return bytes <= sizeof image ? image : NULL;
}

#define STUB(name, ...)                                                                                      \
    int name(__VA_ARGS__) {                                                                                  \
        return 0;                                                                                            \
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
STUB(sys_unmap, void *address, size_t bytes)
STUB(sys_protect, void *address, size_t bytes, int protection)
STUB(sys_advise, void *address, size_t bytes, int advice)
STUB(sys_close, int fd)
STUB(sys_unlink, const char *path)
STUB(sys_ftruncate, int fd, uint64_t bytes)
STUB(sys_fallocate, int fd, uint64_t offset, uint64_t bytes)
STUB(sys_mkdir, const char *path, unsigned mode)
STUB(sys_rename, const char *from, const char *to, bool replace)
STUB(sys_random, void *buffer, size_t bytes)
STUB(sys_memfd, void)
#pragma GCC diagnostic pop

int sys_open(const char *path, int flags, unsigned mode) {
    (void)path;
    (void)flags;
    (void)mode;
    return 7;
}

long sys_write(int fd, const void *buffer, size_t bytes) {
    (void)fd;
    (void)buffer;
    return (long)bytes;
}

int sys_write_all(int fd, const void *buffer, size_t bytes, int64_t offset) {
    (void)fd;
    if ((size_t)offset + bytes > sizeof file)
        return -ENOSPC;
    memcpy(file + offset, buffer, bytes);
    if ((size_t)offset + bytes > file_bytes)
        file_bytes = (size_t)offset + bytes;
    return 0;
}

int sys_lstat(const char *path, struct stat *out) {
    (void)path;
    (void)out;
    return -ENOENT;
}

int sys_limit(int resource, struct rlimit *out) {
    (void)resource;
    out->rlim_cur = RLIM_INFINITY;
    return 0;
}

uint64_t sys_clock_ns(int clock) {
    (void)clock;
    return 1;
}

uint64_t sys_now_ns(void) {
    return 1;
}

size_t sys_page_bytes(void) {
    return 4096;
}

uint32_t sys_user(void) {
    return 0;
}

uint32_t sys_pid(void) {
    return PID;
}

void process_describe(struct ht_header *header) {
    header->pid = PID;
    header->pointer_bytes = sizeof(void *);
    header->hash_key[0] = 1;
}

const char *process_name(const struct ht_header *header) {
    (void)header;
    return "program";
}

void dead_images_bound(const char *directory) {
    (void)directory;
}

uint32_t modules_find(uintptr_t pc) {
    (void)pc;
    return 0;
}

/* No block table here: chunks of cells are not given out again within a run. */
bool blocks_each_now(void (*visit)(uintptr_t address, struct block block)) {
    (void)visit;
    return false;
}

void tracked_each(void (*visit)(uintptr_t address, struct block block)) {
    (void)visit;
}

bool mappings_each(void (*visit)(uint32_t cell, uint64_t size_bytes)) {
    (void)visit;
    return true;
}

struct cfi_stack cfi_none;

void unwind_reset(struct call_stack *stack);
void unwind_reset(struct call_stack *stack) {
    stack->count = 0;
}

/* ---- threads, as the kernel knows them ---- */

static _Alignas(8) uint32_t tids[MACHINE_THREADS];
static uint32_t tid_of_begin; /* of who sets up */
static bool threads_run;      /* begin is over */
static uint32_t alive[8];     /* (atomic) tids that are there, 0: none */

uint32_t sys_tid(void) {
    return threads_run ? tids[machine_self()] : tid_of_begin;
}

static void live(uint32_t at, uint32_t tid) {
    __atomic_store_n(&alive[at], tid, __ATOMIC_RELEASE);
}

/* The kernel orders a thread's end before anybody hears of it: acquire and release. */
bool sys_thread_exists(uint32_t pid, uint32_t tid) {
    bool found = false;
    (void)pid;
    for (int i = 0; i < 8; i++)
        found |= __atomic_load_n(&alive[i], __ATOMIC_ACQUIRE) == tid;
    return found;
}

/* ---- the image ---- */

static struct thread *slots[MACHINE_THREADS];

static void begin(void) {
    __libc_single_threaded = 1;
    memset(image, 0, sizeof image);
    options = (struct options){.nframe = 8, .memory_bytes = 1 << 20};
    snprintf(options.out, sizeof options.out, "/snapshot");
    threads_run = false;
    if (!image_create() || !stacks_begin())
        abort();
    image_header->totals.peak_sequence = 1;
}

/* Three slots of threads that live. */
static void begin_with_threads(void) {
    begin();
    for (uint32_t i = 0; i < 3; i++) {
        tid_of_begin = tids[i] = 10 + i;
        alive[i] = tids[i];
        slots[i] = threads_claim();
    }
    threads_run = true;
    __libc_single_threaded = 0;
    file_bytes = 0;
}

/* The cell of the stack main -> function -> pc. */
static uint32_t cell_of(uintptr_t pc) {
    struct thread *self = slots[machine_self()];
    const uintptr_t pcs[] = {pc, 0x2000, 0x1000};
    call_stack_set(&self->stack, pcs, 3);
    return cells_find(self, stacks_intern(&self->stack, call_stack_hash(&self->stack)));
}

#define SIZE 100u

static uint32_t allocate(uintptr_t pc) {
    uint32_t cell = cell_of(pc);
    counters_allocated(slots[machine_self()], cell, SIZE);
    return cell;
}

static void release(uint32_t cell) {
    (void)counters_freed(slots[machine_self()], cell, SIZE);
}

/* ---- what a reader makes of it ---- */

static uint32_t frames_of(const struct tables *tables, uint32_t stack, uintptr_t *pcs) {
    uint32_t ids[16];
    size_t count = tables_frames(tables, stack, ids);
    for (size_t i = 0; i < count && i < 16; i++)
        pcs[i] = tables_pc(tables, ids[i] & HT_FRAME_PC)->pc;
    return (uint32_t)count;
}

/* Each cell is one between two events, of a whole stack. */
static void check_cell(const struct tables *tables, const struct ht_cell *cell) {
    uintptr_t pcs[16];
    EXPECT(cell->allocated_bytes == SIZE * cell->allocations && cell->freed_bytes == SIZE * cell->frees);
    EXPECT(cell->peak_bytes == (int64_t)SIZE * cell->peak_blocks);
    if (cell->stack < HT_STACK_FIRST)
        return;
    EXPECT(frames_of(tables, cell->stack, pcs) == 3);
    EXPECT(pcs[0] == 0x1000 && pcs[1] == 0x2000 && (pcs[2] == 0x3000 || pcs[2] == 0x4000));
}

static void check_tables(struct tables *tables) {
    EXPECT(tables != NULL);
    for (uint32_t i = 1; tables != NULL && i < tables->region[HT_REGION_CELLS].count; i++)
        check_cell(tables, tables_cells(tables) + i);
}

static uint64_t done, begun, freed; /* (atomic) events of the program by now */

static void read_outside(void) {
    struct error error = {0};
    uint64_t least = __atomic_load_n(&done, __ATOMIC_ACQUIRE);
    struct tables *tables = image_freeze(image, sizeof image, true, "image", &error);
    check_tables(tables);
    if (tables == NULL)
        return;
    struct model *model = model_new(tables, &error);
    uint64_t most = __atomic_load_n(&begun, __ATOMIC_ACQUIRE);
    EXPECT(model->totals.allocations >= least && model->totals.allocations <= most);
    EXPECT(model->live_low_bytes <= (int64_t)(SIZE * most));
    EXPECT(model->live_high_bytes >= (int64_t)(SIZE * least) - (int64_t)(SIZE * most));
    model_free(model);
    tables_free(tables);
}

static void read_whole(void) {
    struct error error = {0};
    struct tables *tables = image_freeze(image, sizeof image, true, "image", &error);
    check_tables(tables);
    tables_free(tables);
}

static void write_snapshot(void) {
    struct error error = {0};
    EXPECT(snapshot_take(HT_TRIGGER_API, "") != 0);
    struct tables *tables = snapshot_parse(file, file_bytes, "snapshot", &error);
    check_tables(tables);
    tables_free(tables);
}

/* ---- experiments: counting ---- */

static void one(uint64_t *count) {
    __atomic_fetch_add(count, 1, __ATOMIC_ACQ_REL);
}

static void begin_counting(void) {
    begin_with_threads();
    allocate(0x3000); /* by thread 0's slot: the stack and its cell are there */
    done = begun = 1;
    freed = 0;
}

static void count_two(void) {
    one(&begun);
    uint32_t cell = allocate(0x3000);
    one(&done);
    release(cell);
    one(&freed);
}

static void meet_a_stack(void) {
    one(&begun);
    allocate(0x4000);
    one(&done);
}

static void meet_another(void) {
    one(&begun);
    allocate(0x3000);
    one(&done);
}

/* At rest nothing is lost: and two threads that met one stack have one id for it. */
static void at_rest(void) {
    struct error error = {0};
    struct tables *tables = image_freeze(image, sizeof image, false, "image", &error);
    check_tables(tables);
    struct model *model = tables != NULL ? model_new(tables, &error) : NULL;
    EXPECT(model != NULL && model->totals.allocations == done);
    EXPECT(model != NULL && model->totals.live_bytes == (int64_t)(SIZE * (done - freed)));
    EXPECT(image_header->totals.live_bytes + (uint64_t)image_slots[1].unflushed_bytes +
               (uint64_t)image_slots[2].unflushed_bytes + (uint64_t)image_slots[3].unflushed_bytes ==
           SIZE * (done - freed));
    if (model != NULL)
        model_free(model);
    tables_free(tables);
}

/* Traces are cleared: the thread's next look at the epoch forgets what it knew of cells. */
static void clear(void) {
    cells_retire();
}

static void count_over_a_clear(void) {
    cells_follow(slots[machine_self()]);
    uint32_t cell = allocate(0x3000);
    cells_follow(slots[machine_self()]);
    uint32_t another = allocate(0x4000);
    release(cell);
    release(another);
}

/* No cell that a reader sees has half an event; those that are retired are seen by nobody. */
static void cleared(void) {
    struct error error = {0};
    struct tables *tables = image_freeze(image, sizeof image, false, "image", &error);
    check_tables(tables);
    for (uint32_t i = 1; tables != NULL && i < tables->region[HT_REGION_CELLS].count; i++) {
        const struct ht_cell *cell = tables_cells(tables) + i;
        EXPECT(cell->stack == HT_STACK_NONE || cell->frees <= 1 + cell->allocations);
    }
    tables_free(tables);
}

/* ---- experiments: slots ---- */

static _Alignas(8) uint32_t holders[8]; /* (atomic) by slot: the thread that has it, and one more */
static _Alignas(8) uint32_t gone;       /* (atomic) thread 1 has ended */

#define REUSED 100u

/* One slot, of a thread that is gone. */
static void begin_with_dead(void) {
    begin();
    tid_of_begin = REUSED;
    memset(alive, 0, sizeof alive);
    threads_claim();
    for (uint32_t i = 0; i < 3; i++)
        alive[i] = tids[i] = 10 + i;
    tids[2] = REUSED; /* the kernel gives its number out again, to thread 2 */
    alive[2] = 0;
    memset(holders, 0, sizeof holders);
    threads_run = true;
}

static uint32_t claim(void) {
    struct thread *self = threads_claim();
    EXPECT(self != NULL);
    EXPECT(__atomic_exchange_n(&holders[self->slot], 1 + (uint32_t)machine_self(), __ATOMIC_ACQ_REL) == 0);
    self->last_block = (uintptr_t)machine_self(); /* plain: a race if somebody else has the slot */
    return self->slot;
}

static void claim_and_keep(void) {
    claim();
}

static void claim_and_end(void) {
    uint32_t slot = claim();
    __atomic_store_n(&holders[slot], 0, __ATOMIC_RELEASE);
    live((uint32_t)machine_self(), 0);
    __atomic_store_n(&gone, 1, __ATOMIC_RELEASE);
}

static void claim_with_a_reused_number(void) {
    machine_await(&gone, 1);
    live(2, REUSED);
    claim();
}

int main(int argc, char **argv) {
    static const struct subject subjects[] = {
        {"events, read from outside", begin_counting, {count_two, read_outside}, at_rest, 2, 0, false, 400},
        {"a new stack, read from outside",
         begin_counting,
         {meet_a_stack, read_outside},
         at_rest,
         2,
         0,
         false,
         600},
        {"a new stack, snapshot", begin_counting, {meet_a_stack, write_snapshot}, at_rest, 2, 0, false, 600},
        {"one new stack, two threads",
         begin_counting,
         {meet_a_stack, meet_a_stack},
         at_rest,
         2,
         1,
         false,
         600},
        {"two new stacks, two threads",
         begin_with_threads,
         {meet_a_stack, meet_another},
         NULL,
         2,
         1,
         false,
         600},
        {"events, cleared", begin_counting, {count_over_a_clear, clear}, cleared, 3, 1, false, 2000},
        {"events, cleared and read",
         begin_counting,
         {count_over_a_clear, clear, read_whole},
         cleared,
         1,
         0,
         false,
         2000},
        {"a slot, two heirs", begin_with_dead, {claim_and_keep, claim_and_keep}, NULL, 3, 2, false, 600},
        {"a slot, its number reused",
         begin_with_dead,
         {claim_and_keep, claim_and_end, claim_with_a_reused_number},
         NULL,
         2,
         1,
         false,
         600},
        {NULL, NULL, {NULL}, NULL, 0, 0, false, 0},
    };
    return machine_main(argc, argv, subjects);
}
