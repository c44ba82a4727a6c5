/* image.c - see image.h; tables.md of the design calls it "the table is the file".
 * Owns:    the mapping, the file's name.
 * Holds:   committed_bytes of a region only grow; record r is touchable iff its end is within them.
 * Threads: any, lock-free (compare-and-swap on committed_bytes and used_records).
 * Signals: safe.  Heap: never. */
#define _GNU_SOURCE
#include "image.h"

#include "../platform/arena.h"
#include "../platform/options.h"
#include "../platform/sys.h"
#include "../platform/text.h"
#include "../unwind/stack_hash.h"
#include "dead_images.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#define REGION_ALIGN    ((uint64_t)65536) /* the largest page size of aarch64 */
#define COMMIT_MIN      ((uint64_t)16 << 10)
#define COMMIT_MAX      ((uint64_t)2 << 20)
#define MEMORY_SMALLEST ((uint64_t)1 << 20)
#define CELLS_FIRST     16                  /* cells go by sixteens, and cell 0 is none */
#define CELLS_MAX       ((uint64_t)1 << 22) /* what a slot of the block table can name */

/* Children that end by _exit leave their images, and a server may fork for years without an exec. A look at
 * the directory takes as long as a small fork, so about one child in so many takes it. */
#define CHILDREN_PER_BOUND 16

struct ht_header *image_header;
struct ht_module *image_modules;
char *image_strings;
struct ht_pc *image_pcs;
uint32_t *image_frames;
struct ht_stack *image_stacks;
struct ht_cell *image_cells;
struct ht_slot *image_slots;
struct ht_sample *image_samples;
struct ht_mismatch *image_mismatches;
struct ht_context *image_contexts;
struct ht_detail *image_details;

const enum ht_region_id image_reading_order[HT_REGIONS] = {
    HT_REGION_CELLS,    HT_REGION_SAMPLES, HT_REGION_DETAILS,   HT_REGION_SLOTS,
    HT_REGION_STACKS,   HT_REGION_FRAMES,  HT_REGION_PCS,       HT_REGION_MODULES,
    HT_REGION_CONTEXTS, HT_REGION_STRINGS, HT_REGION_MISMATCHES};

static char path[HT_PATH_BYTES + 64];
static uint64_t image_bytes;

const char *image_path(void) {
    return path;
}

void image_remove(void) {
    if (path[0] != '\0')
        sys_unlink(path);
    path[0] = '\0';
}

/* ---- layout ---- */

static uint64_t align_up(uint64_t value, uint64_t to) {
    return (value + to - 1) & ~(to - 1);
}

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* Capacities from the budget: each region could take its full share, the budget bounds their sum. */
static uint64_t lay_out(struct ht_header *header, uint64_t budget) {
    uint64_t cells = smaller(budget, CELLS_MAX * sizeof(struct ht_cell));
    const struct {
        uint32_t record_bytes;
        uint64_t capacity_bytes;
    } plan[HT_REGIONS] = {
        [HT_REGION_MODULES] = {sizeof(struct ht_module), 4096 * sizeof(struct ht_module)},
        [HT_REGION_STRINGS] = {1, (uint64_t)1 << 20},
        [HT_REGION_PCS] = {sizeof(struct ht_pc), budget / 4},
        [HT_REGION_FRAMES] = {sizeof(uint32_t), budget / 2},
        [HT_REGION_STACKS] = {sizeof(struct ht_stack), budget / 4},
        [HT_REGION_CELLS] = {sizeof(struct ht_cell), cells},
        [HT_REGION_SLOTS] = {sizeof(struct ht_slot), 32768 * sizeof(struct ht_slot)},
        [HT_REGION_SAMPLES] = {sizeof(struct ht_sample), options.sample_bytes != 0 ? cells : 0},
        [HT_REGION_MISMATCHES] = {sizeof(struct ht_mismatch),
                                  options.verify_every != 0 ? HT_MISMATCHES_MAX * sizeof(struct ht_mismatch)
                                                            : 0},
        [HT_REGION_CONTEXTS] = {sizeof(struct ht_context),
                                smaller(budget / 16, HT_CONTEXTS_MAX * sizeof(struct ht_context))},
        /* a record is as large as many stacks: half of the budget is left for these */
        [HT_REGION_DETAILS] = {sizeof(struct ht_detail), options.details ? budget / 2 : 0},
    };
    uint64_t at = align_up(HT_HEADER_BYTES, REGION_ALIGN);
    for (int i = 0; i < HT_REGIONS; i++) {
        struct ht_region *region = &header->regions[i];
        *region = (struct ht_region){.record_bytes = plan[i].record_bytes,
                                     .offset = at,
                                     .capacity_bytes = align_up(plan[i].capacity_bytes, REGION_ALIGN),
                                     .used_records = plan[i].capacity_bytes == 0 ? 0
                                                     : i == HT_REGION_CELLS      ? CELLS_FIRST
                                                                                 : 1};
        at += region->capacity_bytes;
    }
    header->budget_bytes = budget;
    return at;
}

static void *region_base(enum ht_region_id region) {
    return (char *)image_header + image_header->regions[region].offset;
}

static void name_regions(void) {
    image_modules = region_base(HT_REGION_MODULES);
    image_strings = region_base(HT_REGION_STRINGS);
    image_pcs = region_base(HT_REGION_PCS);
    image_frames = region_base(HT_REGION_FRAMES);
    image_stacks = region_base(HT_REGION_STACKS);
    image_cells = region_base(HT_REGION_CELLS);
    image_slots = region_base(HT_REGION_SLOTS);
    image_samples = region_base(HT_REGION_SAMPLES);
    image_mismatches = region_base(HT_REGION_MISMATCHES);
    image_contexts = region_base(HT_REGION_CONTEXTS);
    image_details = region_base(HT_REGION_DETAILS);
}

/* ---- the file ---- */

/* Ours alone, and nobody else can put links into it. */
static bool directory_serves(void) {
    struct stat status;
    sys_mkdir(options.directory, 0700);
    if (sys_lstat(options.directory, &status) != 0)
        return false;
    return S_ISDIR(status.st_mode) && status.st_uid == sys_user() && (status.st_mode & 022) == 0;
}

static void name_file(const struct ht_header *header) {
    struct text text = text_in(path, sizeof path);
    text_add(&text, options.directory);
    text_add(&text, "/");
    text_add_number(&text, header->pid);
    text_add(&text, ".");
    text_add_number(&text, header->start_ticks);
    text_add(&text, ".");
    text_add_number(&text, header->exec_index);
    text_add(&text, HT_IMAGE_SUFFIX);
}

/* Each exec of a process finds its predecessors' names taken, and takes the next. -errno on failure. */
static int open_file(struct ht_header *header) {
    if (!directory_serves())
        return -EACCES;
    for (header->exec_index = 0; header->exec_index < 100000; header->exec_index++) {
        name_file(header);
        int fd = sys_open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd != -EEXIST)
            return fd;
    }
    return -EEXIST;
}

/* A file over RLIMIT_FSIZE would raise SIGXFSZ. */
static bool file_size_allowed(uint64_t bytes) {
    struct rlimit limit;
    return sys_limit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || bytes <= limit.rlim_cur;
}

static int create_file(struct ht_header *header, uint64_t bytes) {
    int fd = file_size_allowed(bytes) ? open_file(header) : -EFBIG;
    if (fd >= 0 && sys_ftruncate(fd, bytes) != 0) {
        sys_close(fd);
        sys_unlink(path);
        fd = -EFBIG;
    }
    if (fd < 0)
        path[0] = '\0';
    return fd;
}

/* PROT_NONE, since mlockall(MCL_FUTURE) would fill a writable mapping. */
static void *map_file(void *address, uint64_t bytes, int fd) {
    int flags = MAP_SHARED | MAP_NORESERVE | (address != NULL ? MAP_FIXED : 0);
    return sys_map(address, bytes, PROT_NONE, fd >= 0 ? flags : flags | MAP_ANONYMOUS, fd);
}

/* ---- committing ---- */

/* Before Linux 5.14: reserve in the file, by its name. */
static int reserve_by_name(uint64_t offset, uint64_t bytes) {
    int fd = sys_open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0)
        return fd;
    int error = sys_fallocate(fd, offset, bytes);
    sys_close(fd);
    return error;
}

/* Makes bytes of the mapping accessible, and sure not to fault. Idempotent. */
static bool make_accessible(uint64_t offset, uint64_t bytes) {
    char *at = (char *)image_header + offset;
    if (sys_protect(at, bytes, PROT_READ | PROT_WRITE) != 0)
        return false;
    int error = sys_advise(at, bytes, MADV_POPULATE_WRITE);
    if (error == -EINVAL)
        error = path[0] != '\0' ? reserve_by_name(offset, bytes) : 0;
    return error == 0;
}

static bool budget_allows(uint64_t more) {
    uint64_t before = __atomic_fetch_add(&image_header->committed_bytes, more, __ATOMIC_RELAXED);
    if (before + more <= image_header->budget_bytes)
        return true;
    __atomic_fetch_sub(&image_header->committed_bytes, more, __ATOMIC_RELAXED);
    return false;
}

/* Makes at least the first `needed` bytes of a region accessible. A step ends with a page, since the next one
 * begins there: with 64 KiB pages mprotect refuses what 4 KiB ones allow. */
static bool commit(struct ht_region *region, uint64_t needed) {
    uint64_t committed = __atomic_load_n(&region->committed_bytes, __ATOMIC_ACQUIRE);
    while (committed < needed) {
        uint64_t page = sys_page_bytes(),
                 step = committed / 16 < COMMIT_MIN ? COMMIT_MIN : smaller(committed / 16, COMMIT_MAX);
        uint64_t target = align_up(needed > committed + step ? needed : committed + step, page);
        target = smaller(target, region->capacity_bytes);
        if (needed > target)
            return false;
        if (!budget_allows(target - committed)) { /* the last of the budget goes in small steps */
            target = smaller(align_up(needed, page), region->capacity_bytes);
            if (!budget_allows(target - committed))
                return false;
        }
        if (!make_accessible(region->offset + committed, target - committed)) {
            __atomic_fetch_sub(&image_header->committed_bytes, target - committed, __ATOMIC_RELAXED);
            image_lose(HT_LOSS_COMMIT, 1);
            return false;
        }
        uint64_t present = committed;
        /* acq_rel: partner of the acquire loads here; who sees the new bound may touch up to it */
        if (!__atomic_compare_exchange_n(&region->committed_bytes, &present, target, false, __ATOMIC_ACQ_REL,
                                         __ATOMIC_ACQUIRE))
            __atomic_fetch_sub(&image_header->committed_bytes, target - committed, __ATOMIC_RELAXED);
        else
            present = target;
        committed = present;
    }
    return true;
}

uint64_t image_take(enum ht_region_id id, uint64_t count) {
    struct ht_region *region = &image_header->regions[id];
    uint64_t first = __atomic_load_n(&region->used_records, __ATOMIC_RELAXED);
    do {
        if (!commit(region, (first + count) * region->record_bytes))
            return 0;
        /* release: partner of the acquire load in copy_regions and of readers, who take bounds in
         * image_reading_order: what a record names was taken before it. It is published by its own field */
    } while (!__atomic_compare_exchange_n(&region->used_records, &first, first + count, false,
                                          __ATOMIC_RELEASE, __ATOMIC_RELAXED));
    return first;
}

bool image_make_room(enum ht_region_id id) {
    struct ht_region *region = &image_header->regions[id];
    return commit(region,
                  (__atomic_load_n(&region->used_records, __ATOMIC_RELAXED) + 1) * region->record_bytes);
}

bool image_cover(enum ht_region_id id, uint64_t record) {
    struct ht_region *region = &image_header->regions[id];
    uint64_t used = __atomic_load_n(&region->used_records, __ATOMIC_RELAXED);
    if (!commit(region, (record + 1) * region->record_bytes))
        return false;
    while (used <= record && !__atomic_compare_exchange_n(&region->used_records, &used, record + 1, false,
                                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
    return true;
}

/* ---- creating ---- */

/* Under RLIMIT_AS the reservation may take an eighth of it, and the tables shrink with it. */
static uint64_t affordable_budget(void) {
    struct rlimit limit;
    uint64_t budget = options.memory_bytes;
    if (sys_limit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        while (budget > MEMORY_SMALLEST && budget * 3 > limit.rlim_cur / 8)
            budget /= 2;
    return budget;
}

static void fill_header(struct ht_header *header) {
    process_describe(header);
    header->version = HT_VERSION;
    header->header_bytes = HT_HEADER_BYTES;
    header->byte_order = HT_BYTE_ORDER;
    header->kind = HT_KIND_IMAGE;
    header->state = HT_STATE_RUNNING;
    header->nframe = options.nframe;
    header->session = options.session;
    header->sample_bytes = options.sample_bytes;
    header->verify_every = options.verify_every;
    header->temporary_below = options.details ? options.temporary_below : 0;
    header->details_epoch_ns = options.details ? header->created_monotonic_ns : 0;
}

static bool place_header(const struct ht_header *draft) {
    if (!make_accessible(0, HT_HEADER_BYTES))
        return false;
    memcpy(image_header, draft, sizeof *draft);
    return true;
}

void image_publish(void) {
    __atomic_thread_fence(__ATOMIC_RELEASE); /* partner: a reader's acquire after it saw the magic */
    memcpy(image_header->magic, HT_MAGIC, sizeof image_header->magic);
}

/* Puts the header of `draft` into a mapping of fd (or of memory). A disk with room for no more than that is
 * full: no stack could be kept there, not even those that stand for a reason. */
static bool install(void *mapping, const struct ht_header *draft) {
    image_header = mapping;
    if (mapping != NULL && place_header(draft) && commit(&image_header->regions[HT_REGION_STACKS], 1)) {
        image_publish();
        sys_advise(image_header, image_bytes, MADV_DONTDUMP);
        return true;
    }
    if (mapping != NULL)
        sys_unmap(mapping, image_bytes);
    image_header = NULL;
    return false;
}

/* One try with a given budget, in a file if file is true. */
static bool create_with(struct ht_header *draft, uint64_t budget, bool file) {
    image_bytes = lay_out(draft, budget);
    int fd = file ? create_file(draft, image_bytes) : -1;
    if (file && fd < 0)
        return false;
    draft->losses[HT_LOSS_NO_FILE] = file ? 0 : 1;
    bool done = install(map_file(NULL, image_bytes, fd), draft);
    if (fd >= 0)
        sys_close(fd);
    if (!done)
        image_remove();
    return done;
}

static void draw_hash_key(struct ht_header *draft) {
    if (sys_random(draft->hash_key, sizeof draft->hash_key) != 0) {
        draft->hash_key[0] = draft->created_realtime_ns * 0x9E3779B97F4A7C15u;
        draft->hash_key[1] = draft->created_monotonic_ns * 0xD6E8FEB86659FD93u + draft->pid;
    }
    draft->hash_key[0] &= STACK_HASH_POINT;
    draft->hash_key[1] &= STACK_HASH_POINT;
}

bool image_create(void) {
    static struct ht_header draft;
    memset(&draft, 0, sizeof draft);
    fill_header(&draft);
    draw_hash_key(&draft);
    for (int file = 1; file >= 0; file--)
        for (uint64_t budget = affordable_budget(); budget >= MEMORY_SMALLEST; budget /= 4)
            if (create_with(&draft, budget, file != 0)) {
                name_regions();
                arena_meter(&image_header->private_bytes);
                dead_images_bound(options.directory);
                return true;
            }
    return false;
}

/* ---- after a fork ---- */

/* Copies the used part of every region from the mapping, which is still the parent's, to a file. The parent's
 * threads go on meanwhile, and a cell within its bound may be given to a stack that is newer: the bound of
 * what is named is read once what names it is copied. The header comes last: a killed child leaves none, or a
 * good one. */
static bool copy_regions(struct ht_header *draft, int fd) {
    for (int i = 0; i < HT_REGIONS; i++) {
        const struct ht_region *from = &image_header->regions[image_reading_order[i]];
        struct ht_region *to = &draft->regions[image_reading_order[i]];
        /* partner: the release of what was copied, by who had taken before what it names */
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        /* used before committed: what is used by then is committed by now */
        to->used_records = __atomic_load_n(&from->used_records, __ATOMIC_ACQUIRE);
        to->committed_bytes = __atomic_load_n(&from->committed_bytes, __ATOMIC_ACQUIRE);
        /* large, and counted anew: the child's begin empty */
        if (image_reading_order[i] == HT_REGION_DETAILS)
            to->committed_bytes = to->used_records = 0;
        draft->committed_bytes += to->committed_bytes;
        uint64_t bytes = smaller(to->used_records * to->record_bytes, to->committed_bytes);
        /* what the parent has committed since the fork is not accessible here */
        if (bytes != 0 &&
            sys_protect((char *)image_header + to->offset, align_up(bytes, sys_page_bytes()), PROT_READ) != 0)
            return false;
        if (sys_write_all(fd, (char *)image_header + to->offset, bytes, (int64_t)to->offset) != 0)
            return false;
    }
    return sys_write_all(fd, draft, sizeof *draft, 0) == 0;
}

static bool reopen_regions(const struct ht_header *draft) {
    bool all = make_accessible(0, HT_HEADER_BYTES);
    for (int i = 0; i < HT_REGIONS; i++)
        if (draft->regions[i].committed_bytes != 0)
            all &= make_accessible(draft->regions[i].offset, draft->regions[i].committed_bytes);
    return all;
}

/* The header of the child: its own identity, the parent's regions as they are now. */
static void draft_child(struct ht_header *draft) {
    memset(draft, 0, sizeof *draft);
    fill_header(draft);
    memcpy(draft->hash_key, image_header->hash_key, sizeof draft->hash_key);
    memcpy(draft->unwinder, image_header->unwinder, sizeof draft->unwinder);
    draft->budget_bytes = image_header->budget_bytes;
    draft->private_bytes = image_header->private_bytes;
    draft->signal = image_header->signal;
    draft->stopped = image_header->stopped;
    draft->clears = image_header->clears;
    draft->nframe = image_header->nframe;
    draft->details_epoch_ns = image_header->details_epoch_ns;
    memcpy(draft->regions, image_header->regions, sizeof draft->regions); /* but for bounds: copy_regions */
}

/* Without a file: a memfd serves to copy through; it is never seen by name. RLIMIT_FSIZE holds for it too,
 * and its signal would kill a child that has done nothing. */
static int child_file(struct ht_header *draft) {
    int fd = create_file(draft, image_bytes);
    if (fd >= 0 || !file_size_allowed(image_bytes))
        return fd;
    draft->losses[HT_LOSS_NO_FILE] = 1;
    fd = sys_memfd();
    if (fd >= 0 && sys_ftruncate(fd, image_bytes) == 0)
        return fd;
    if (fd >= 0)
        sys_close(fd);
    return -ENOMEM;
}

bool image_adopt(void) {
    static struct ht_header draft;
    draft_child(&draft);
    int fd = child_file(&draft);
    if (fd < 0) {
        image_lose(HT_LOSS_FORK, 1);
        return false;
    }
    bool done = copy_regions(&draft, fd);
    if (!done) /* the mapping is still the parent's: let it say what it cannot see */
        image_lose(HT_LOSS_FORK, 1);
    done = done && map_file(image_header, image_bytes, fd) != NULL && reopen_regions(&draft);
    sys_close(fd);
    if (!done) {
        image_remove();
        return false;
    }
    sys_advise(image_header, image_bytes, MADV_DONTDUMP);
    if (draft.pid % CHILDREN_PER_BOUND == 0)
        dead_images_bound(options.directory);
    return true;
}
