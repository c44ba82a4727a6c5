/* image.c - see image.h.
 * Owns:    the mapping while it reads; the handler of SIGBUS while it reads.
 * Holds:   reads no byte that the writer has not committed: holes of the file stay holes.
 * Threads: one (SIGBUS is the process's).  Signals: no.  Heap: yes. */
#define _GNU_SOURCE
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A writer needs some ns for an event; one that was killed in the middle leaves the sequence odd. */
#define SEQLOCK_TRIES 1000    /* before a nap */
#define REGION_TRIES  1000000 /* in vain, of all records of a region */
#define NAPS          100     /* for a region */
#define NAP_NS        200000
#define PEAK_TRIES    3

/* ---- records that move ---- */

static void copy_words(uint64_t *to, const uint64_t *from, size_t bytes) {
    for (size_t i = 0; i < bytes / sizeof *to; i++)
        /* acquire: the sequence is read again after every word. The owner's release fence is its partner. */
        to[i] = __atomic_load_n(from + i, __ATOMIC_ACQUIRE);
}

/* Copies a record that is written under the sequence of a cell. False if its owner wrote: it is within one
 * event of the truth then. */
static bool copy_guarded(void *to, const void *from, size_t bytes, const struct ht_cell *cell) {
    /* acquire: partner of the owner's release of the even value */
    uint32_t before = __atomic_load_n(&cell->write_sequence, __ATOMIC_ACQUIRE);
    copy_words(to, from, bytes);
    uint32_t after = __atomic_load_n(&cell->write_sequence, __ATOMIC_RELAXED);
    return before == after && (before & 1) == 0;
}

/* An owner that was put to sleep in the middle of an event is worth a while, but not each cell of a file that
 * somebody has made up: tries and naps are for a whole region. A dead one will not go on. */
struct patience {
    int tries, naps;
};

static struct patience patience_for(const struct tables *self) {
    return self->running ? (struct patience){REGION_TRIES, NAPS} : (struct patience){0, 0};
}

static void copy_settled(void *to, const void *from, size_t bytes, const struct ht_cell *cell,
                         struct patience *patience) {
    for (int tries = 1; !copy_guarded(to, from, bytes, cell); tries++) {
        if (patience->tries == 0 || (tries == SEQLOCK_TRIES && patience->naps == 0))
            return;
        patience->tries--;
        if (tries == SEQLOCK_TRIES) {
            patience->naps--;
            nanosleep(&(struct timespec){0, NAP_NS}, NULL);
            tries = 0;
        }
    }
}

/* The bytes of a region that are both in use and committed. */
static uint64_t readable_bytes(const struct ht_region *region) {
    uint64_t used = __atomic_load_n(&region->used_records, __ATOMIC_ACQUIRE);
    uint64_t committed = __atomic_load_n(&region->committed_bytes, __ATOMIC_ACQUIRE);
    if (committed > region->capacity_bytes)
        committed = region->capacity_bytes;
    uint64_t whole = committed / region->record_bytes;
    return (used < whole ? used : whole) * region->record_bytes;
}

static void copy_cells_of(struct records *to, const struct ht_cell *from, struct patience patience) {
    for (uint32_t i = 0; i < to->count; i++)
        copy_settled((struct ht_cell *)to->at + i, from + i, sizeof *from, from + i, &patience);
}

static bool copy_region(struct records *to, enum ht_region_id id, const char *bytes,
                        const struct tables *self, struct error *error) {
    const struct ht_region *live = &((const struct ht_header *)(const void *)bytes)->regions[id];
    struct ht_region region = self->header.regions[id];
    region.used_records = __atomic_load_n(&live->used_records, __ATOMIC_ACQUIRE);
    region.committed_bytes = __atomic_load_n(&live->committed_bytes, __ATOMIC_ACQUIRE);
    uint64_t size = readable_bytes(&region);
    const char *from = bytes + (size != 0 ? region.offset : 0);
    if (!tables_reserve(to, id, size, error))
        return false;
    if (id == HT_REGION_CELLS)
        copy_cells_of(to, (const struct ht_cell *)(const void *)from, patience_for(self));
    else
        memcpy(to->at, from, size);
    return true;
}

/* Those of cells that were read before; others' sequences are not known to be there. */
static bool copy_details(struct tables *self, const char *bytes, struct error *error) {
    struct records *to = &self->region[HT_REGION_DETAILS];
    const struct ht_header *layout = &self->header;
    struct patience patience = patience_for(self);
    if (!copy_region(to, HT_REGION_DETAILS, bytes, self, error))
        return false;
    if (to->count > self->region[HT_REGION_CELLS].count)
        to->count = self->region[HT_REGION_CELLS].count;
    if (to->count == 0)
        return true;
    const void *cells = bytes + layout->regions[HT_REGION_CELLS].offset;
    const void *details = bytes + layout->regions[HT_REGION_DETAILS].offset;
    for (uint32_t i = 0; i < to->count; i++)
        copy_settled((struct ht_detail *)to->at + i, (const struct ht_detail *)details + i,
                     sizeof(struct ht_detail), (const struct ht_cell *)cells + i, &patience);
    return true;
}

/* Cells and the number of the maximum that they count from, if possible of one moment. */
static bool copy_cells(struct tables *self, const char *bytes, struct error *error) {
    const struct ht_header *live = (const void *)bytes;
    for (int i = 0; i < PEAK_TRIES; i++) {
        /* before the cells: its acquire loads are partners of the release in advance_peak */
        copy_words((uint64_t *)&self->header.totals, (const uint64_t *)&live->totals, sizeof live->totals);
        if (!copy_region(&self->region[HT_REGION_CELLS], HT_REGION_CELLS, bytes, self, error))
            return false;
        if (__atomic_load_n(&live->totals.peak_sequence, __ATOMIC_ACQUIRE) ==
            self->header.totals.peak_sequence)
            break;
    }
    return true;
}

/* That of the process, which runs on this machine. */
static uint64_t now_ns(void) {
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool copy_all(struct tables *self, const char *bytes, struct error *error) {
    static const enum ht_region_id order[] = {HT_REGION_SAMPLES,  HT_REGION_SLOTS,   HT_REGION_STACKS,
                                              HT_REGION_FRAMES,   HT_REGION_PCS,     HT_REGION_MODULES,
                                              HT_REGION_CONTEXTS, HT_REGION_STRINGS, HT_REGION_MISMATCHES};
    if (!copy_cells(self, bytes, error) || !copy_details(self, bytes, error))
        return false;
    if (self->running)
        self->header.taken_monotonic_ns = now_ns();
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (!copy_region(&self->region[order[i]], order[i], bytes, self, error))
            return false;
    for (int i = 0; i < HT_REGIONS; i++)
        self->header.regions[i].used_records = self->region[i].count;
    return !self->running || copy_region(&self->cells_later, HT_REGION_CELLS, bytes, self, error);
}

static bool freeze_into(struct tables *self, const void *bytes, size_t size_bytes, const char *name,
                        struct error *error) {
    if (!tables_take_header(self, HT_KIND_IMAGE, bytes, size_bytes, name, error))
        return false;
    return copy_all(self, bytes, error) && tables_check(self, name, error);
}

static struct tables *
freeze_by(bool (*freeze)(struct tables *, const void *, size_t, const char *, struct error *),
          const void *bytes, size_t size_bytes, bool running, const char *name, struct error *error) {
    struct tables *self = tables_new();
    if (self == NULL) {
        error_out_of_memory(error);
        return NULL;
    }
    self->running = running;
    if (freeze(self, bytes, size_bytes, name, error))
        return self;
    tables_free(self);
    return NULL;
}

struct tables *image_freeze(const void *bytes, size_t size_bytes, bool running, const char *name,
                            struct error *error) {
    return freeze_by(freeze_into, bytes, size_bytes, running, name, error);
}

/* ---- the file ---- */

static sigjmp_buf bus_exit;

static void on_bus(int signal_number) {
    (void)signal_number;
    siglongjmp(bus_exit, 1);
}

/* A file that somebody cuts while we read raises SIGBUS. The tables own what was copied by then; nothing else
 * is allocated while the mapping is touched. */
static bool freeze_guarded(struct tables *self, const void *bytes, size_t size_bytes, const char *name,
                           struct error *error) {
    struct sigaction guard = {.sa_handler = on_bus}, before;
    volatile bool done = false;
    sigaction(SIGBUS, &guard, &before);
    if (sigsetjmp(bus_exit, 1) == 0)
        done = freeze_into(self, bytes, size_bytes, name, error);
    else
        error_set(error, "%s: the file was cut while it was read", name);
    sigaction(SIGBUS, &before, NULL);
    return done;
}

static struct tables *read_open(int fd, const char *path, bool running, struct error *error) {
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size < (off_t)HT_HEADER_BYTES) {
        error_set(error, "%s: not a regular file of at least %u bytes", path, HT_HEADER_BYTES);
        return NULL;
    }
    size_t size = (size_t)status.st_size;
    void *bytes = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED) {
        error_set(error, "%s: cannot be mapped: %s", path, strerror(errno));
        return NULL;
    }
    struct tables *tables = freeze_by(freeze_guarded, bytes, size, running, path, error);
    munmap(bytes, size);
    return tables;
}

struct tables *image_read(const char *path, bool running, struct error *error) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        error_set(error, "%s: %s", path, strerror(errno));
        return NULL;
    }
    struct tables *tables = read_open(fd, path, running, error);
    close(fd);
    return tables;
}

bool image_read_header(int fd, const char *name, struct ht_header *header, struct error *error) {
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return error_set(error, "%s: not a regular file", name);
    memset(header, 0, sizeof *header);
    ssize_t got = pread(fd, header, sizeof *header, 0);
    if (memcmp(header->magic, HT_MAGIC, sizeof header->magic) != 0)
        return tables_check_header(header, (uint64_t)status.st_size, name, error);
    if (got != (ssize_t)sizeof *header)
        return error_set(error, "%s: offset %zd: the file ends inside its header", name, got < 0 ? 0 : got);
    return tables_check_header(header, (uint64_t)status.st_size, name, error);
}
