/* snapshot.c - see snapshot.h.
 *
 * Everything goes through one static buffer, so that the checksum is of the bytes that were written even
 * where others change them meanwhile, and a small signal stack suffices.
 *
 * Owns:    the buffer, by `busy`.
 * Threads: any, one at a time.  Signals: safe.  Heap: never. */
#define _GNU_SOURCE
#include "snapshot.h"

#include "../platform/options.h"
#include "../platform/sys.h"
#include "../platform/text.h"
#include "image.h"
#include "snapshot_name.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define BUFFER_BYTES (256u << 10)
#define TRIES        10000u
#define CELL_RETRIES 1000u
#define PEAK_TRIES   3

static struct {
    uint32_t busy; /* (atomic) */
    struct ht_header header;
    char name[HT_PATH_BYTES + 512], temporary[HT_PATH_BYTES + 544];
    _Alignas(64) char buffer[BUFFER_BYTES];
} work;

void snapshot_after_fork(void) {
    __atomic_store_n(&work.busy, 0, __ATOMIC_RELAXED);
}

/* ---- regions ---- */

/* Relaxed: what orders the words is around it. */
static void copy_words(uint64_t *to, const uint64_t *from, size_t bytes) {
    for (size_t i = 0; i < bytes / sizeof *to; i++)
        to[i] = __atomic_load_n(from + i, __ATOMIC_RELAXED);
}

/* One cell as it was between two updates. Its owner may be the thread that this handler interrupted, so
 * the wait is bounded: the row is then within one event. */
static void copy_cell(struct ht_cell *to, const struct ht_cell *from) {
    for (uint32_t i = 0; i < CELL_RETRIES; i++) {
        uint32_t before = __atomic_load_n(&from->write_sequence, __ATOMIC_ACQUIRE);
        copy_words((uint64_t *)(void *)to, (const uint64_t *)(const void *)from, sizeof *to);
        __atomic_thread_fence(__ATOMIC_ACQUIRE); /* partner: the release fence in counters_open */
        if ((before & 1) == 0 && before == __atomic_load_n(&from->write_sequence, __ATOMIC_RELAXED))
            break;
    }
    to->write_sequence &= ~1u;
}

/* Cells are taken many at a time: one within the bound may have been given to a stack since, which is not. It
 * is left out: it has no event from before the bounds were read. */
static void copy_cells(char *to, const char *from, uint64_t bytes) {
    uint64_t stacks = work.header.regions[HT_REGION_STACKS].used_records;
    for (uint64_t at = 0; at < bytes; at += sizeof(struct ht_cell)) {
        struct ht_cell *cell = (struct ht_cell *)(void *)(to + at);
        copy_cell(cell, (const struct ht_cell *)(const void *)(from + at));
        if (cell->stack >= stacks)
            *cell = (struct ht_cell){.slot = cell->slot};
    }
}

/* Details are written under their cell's sequence. */
static void copy_detail(struct ht_detail *to, uint64_t id) {
    const struct ht_cell *cell = &image_cells[id];
    for (uint32_t i = 0; i < CELL_RETRIES; i++) {
        uint32_t before = __atomic_load_n(&cell->write_sequence, __ATOMIC_ACQUIRE);
        *to = *(const volatile struct ht_detail *)&image_details[id];
        __atomic_thread_fence(__ATOMIC_ACQUIRE); /* partner: counters_open's release fence */
        if ((before & 1) == 0 && before == __atomic_load_n(&cell->write_sequence, __ATOMIC_RELAXED))
            break;
    }
}

static void copy_details(char *to, uint64_t first, uint64_t bytes) {
    for (uint64_t i = 0; i * sizeof(struct ht_detail) < bytes; i++)
        copy_detail((struct ht_detail *)(void *)(to + i * sizeof(struct ht_detail)), first + i);
}

static int write_region(int fd, enum ht_region_id id, uint64_t *offset) {
    struct ht_region *region = &work.header.regions[id];
    const char *from = (const char *)image_header + image_header->regions[id].offset;
    uint64_t bytes = region->used_records * region->record_bytes;
    if (bytes > region->committed_bytes) /* nothing was taken yet, not even record 0 */
        bytes = 0;
    uint64_t whole = BUFFER_BYTES - BUFFER_BYTES % region->record_bytes;
    XXH64_state_t checksum;
    XXH64_reset(&checksum, 0);
    for (uint64_t at = 0, part; at < bytes; at += part) {
        part = bytes - at < whole ? bytes - at : whole;
        if (id == HT_REGION_CELLS)
            copy_cells(work.buffer, from + at, part);
        else if (id == HT_REGION_DETAILS)
            copy_details(work.buffer, at / sizeof(struct ht_detail), part);
        else
            memcpy(work.buffer, from + at, part);
        XXH64_update(&checksum, work.buffer, part);
        int error = sys_write_all(fd, work.buffer, part, (int64_t)(*offset + at));
        if (error != 0)
            return error;
    }
    region->offset = *offset;
    region->used_records = bytes / region->record_bytes;
    region->capacity_bytes = region->committed_bytes = region->stored_bytes = bytes;
    region->checksum = XXH64_digest(&checksum);
    *offset += (bytes + 63) & ~(uint64_t)63;
    return 0;
}

/* Cells, and the number of the maximum that they count from, if possible of one moment: as the reader of an
 * image does. */
static int write_cells(int fd, uint64_t *offset) {
    const struct ht_region bounds = work.header.regions[HT_REGION_CELLS];
    const uint64_t from = *offset, *sequence = &image_header->totals.peak_sequence;
    int error = 0;
    for (int i = 0; i < PEAK_TRIES && error == 0; i++) {
        *offset = from;
        work.header.regions[HT_REGION_CELLS] = bounds;
        /* acquire, here and below: partner of the release in advance_peak */
        uint64_t before = __atomic_load_n(sequence, __ATOMIC_ACQUIRE);
        copy_words((uint64_t *)&work.header.totals, (const uint64_t *)&image_header->totals,
                   sizeof work.header.totals);
        work.header.totals.peak_sequence = before;
        error = write_region(fd, HT_REGION_CELLS, offset);
        if (before == __atomic_load_n(sequence, __ATOMIC_ACQUIRE))
            break;
    }
    return error;
}

/* ---- the file ---- */

static void draft_header(enum ht_trigger trigger, const char *label, uint32_t number) {
    struct ht_header *header = &work.header;
    memcpy(header, image_header, sizeof *header);
    header->kind = HT_KIND_SNAPSHOT;
    header->trigger = trigger;
    header->snapshots = number;
    header->taken_realtime_ns = sys_clock_ns(CLOCK_REALTIME);
    header->taken_monotonic_ns = sys_clock_ns(CLOCK_MONOTONIC);
    struct text text = text_in(header->label, sizeof header->label);
    text_add(&text, label);
    /* What names is bounded before what it names; and what is used before what is committed. */
    for (int i = 0; i < HT_REGIONS; i++) {
        const struct ht_region *from = &image_header->regions[image_reading_order[i]];
        struct ht_region *to = &header->regions[image_reading_order[i]];
        to->used_records = __atomic_load_n(&from->used_records, __ATOMIC_ACQUIRE);
        to->committed_bytes = __atomic_load_n(&from->committed_bytes, __ATOMIC_ACQUIRE);
    }
}

/* The largest a file may become; one over RLIMIT_FSIZE would raise SIGXFSZ. */
static bool size_allowed(void) {
    struct rlimit limit;
    uint64_t bytes = HT_HEADER_BYTES;
    for (int i = 0; i < HT_REGIONS; i++)
        bytes += work.header.regions[i].used_records * work.header.regions[i].record_bytes + 64;
    return sys_limit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || bytes <= limit.rlim_cur;
}

static int write_file(int fd) {
    uint64_t offset = HT_HEADER_BYTES;
    int error = write_cells(fd, &offset);
    for (int i = 1; i < HT_REGIONS && error == 0; i++) /* the first are the cells */
        error = write_region(fd, image_reading_order[i], &offset);
    work.header.header_checksum = 0;
    memset(work.buffer, 0, HT_HEADER_BYTES);
    memcpy(work.buffer, &work.header, sizeof work.header);
    work.header.header_checksum = XXH64(work.buffer, HT_HEADER_BYTES, 0);
    memcpy(work.buffer, &work.header, sizeof work.header);
    return error != 0 ? error : sys_write_all(fd, work.buffer, HT_HEADER_BYTES, 0);
}

static void name_temporary(void) {
    struct text text = text_in(work.temporary, sizeof work.temporary);
    text_add(&text, work.name);
    text_add(&text, ".");
    text_add_number(&text, image_header->pid);
    text_add(&text, ".tmp");
}

static int open_temporary(void) {
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = sys_open(work.temporary, flags, 0600);
    if (fd == -EEXIST && sys_unlink(work.temporary) == 0) /* of a process that had our pid and was killed */
        fd = sys_open(work.temporary, flags, 0600);
    return fd;
}

/* Gives the finished file a name that is free, or the one that is asked for if we may overwrite. */
static int name_file(uint32_t *number, const char *label) {
    bool counts = snapshot_name_counts(options.out);
    for (uint32_t try = 0; try < TRIES; try++) {
        if (!snapshot_name(work.name, sizeof work.name, options.out, *number, label, counts ? 0 : try))
            return -ENAMETOOLONG;
        int error = sys_rename(work.temporary, work.name, options.overwrite);
        if (error != -EEXIST)
            return error;
        if (counts)
            *number = __atomic_add_fetch(&image_header->snapshots, 1, __ATOMIC_RELAXED);
    }
    return -EEXIST;
}

/* ---- the session's log ---- */

static void log_to_session(enum ht_trigger trigger, uint32_t number) {
    if (options.session == 0)
        return;
    struct text path = text_in(work.temporary, sizeof work.temporary);
    text_add(&path, options.directory);
    text_add(&path, "/session-");
    text_add_number(&path, options.session);
    text_add(&path, ".log");
    struct text line = text_in(work.buffer, sizeof work.buffer);
    text_add_number(&line, image_header->pid);
    text_add(&line, " ");
    text_add_number(&line, number);
    text_add(&line, " ");
    text_add_number(&line, trigger);
    text_add(&line, " ");
    text_add(&line, work.name);
    text_add(&line, "\n");
    int fd = sys_open(work.temporary, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0)
        return;
    sys_write(fd, line.at, line.used); /* one write: lines of several processes do not mix */
    sys_close(fd);
}

/* ---- the whole ---- */

static uint32_t take(enum ht_trigger trigger, const char *label) {
    uint32_t number = __atomic_add_fetch(&image_header->snapshots, 1, __ATOMIC_RELAXED);
    draft_header(trigger, label, number);
    if (!size_allowed() ||
        !snapshot_name(work.name, sizeof work.name, options.out, number, work.header.label, 0))
        return 0;
    name_temporary();
    int fd = open_temporary();
    if (fd < 0)
        return 0;
    int error = write_file(fd);
    sys_close(fd);
    if (error == 0)
        error = name_file(&number, work.header.label);
    if (error != 0) {
        sys_unlink(work.temporary);
        return 0;
    }
    log_to_session(trigger, number);
    return number;
}

uint32_t snapshot_take(enum ht_trigger trigger, const char *label) {
    uint32_t number = 0;
    if (__atomic_exchange_n(&work.busy, 1, __ATOMIC_ACQUIRE) == 0) {
        number = take(trigger, label);
        __atomic_store_n(&work.busy, 0, __ATOMIC_RELEASE);
    }
    if (number == 0)
        image_lose(HT_LOSS_SNAPSHOTS, 1);
    return number;
}
