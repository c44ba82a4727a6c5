/* tally.c - see tally.h. A site is found by a search of a short list; one that two threads enter at a time
 * has two entries, which the ledger adds up. */
#define _GNU_SOURCE
#include "tally.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SITES = 256, NOTES = 8, NAME = 40, MAGIC = 0x7a11 };

struct counts {
    uint64_t blocks, bytes;
};

static struct site {
    char file[NAME];
    int line;
    uint32_t published; /* (atomic) */
    struct counts taken, dropped;
} sites[SITES];

/* At the start of every block. */
struct mark {
    uint32_t magic, site;
    uint64_t size_bytes;
};

static uint32_t site_count; /* (atomic) */
static const char *notes[NOTES];
static int note_count, written, directory = -1, opened = -1;

void say(const char *text) {
    CHECK(write(1, text, strlen(text)) == (ssize_t)strlen(text));
}

void tally_fail(const char *condition, const char *file, int line) {
    char text[512];
    int n = snprintf(text, sizeof text, "%s:%d: does not hold: %s\n", file, line, condition);
    (void)!write(2, text, (size_t)n);
    _exit(3);
}

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static uint32_t site_of(const char *file, int line) {
    const char *name = last_part(file);
    uint32_t count = __atomic_load_n(&site_count, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < count && i < SITES; i++)
        if (__atomic_load_n(&sites[i].published, __ATOMIC_ACQUIRE) && sites[i].line == line &&
            strncmp(sites[i].file, name, NAME - 1) == 0)
            return i;
    uint32_t own = __atomic_fetch_add(&site_count, 1, __ATOMIC_RELAXED);
    CHECK(own < SITES);
    strncpy(sites[own].file, name, NAME - 1);
    sites[own].line = line;
    __atomic_store_n(&sites[own].published, 1, __ATOMIC_RELEASE);
    return own;
}

static void count(struct counts *counts, uint64_t size_bytes) {
    __atomic_fetch_add(&counts->blocks, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&counts->bytes, size_bytes, __ATOMIC_RELAXED);
}

void *tally_take(void *block, size_t size_bytes, const char *file, int line) {
    struct mark mark = {MAGIC, 0, size_bytes};
    if (!block)
        return NULL;
    CHECK(size_bytes >= sizeof mark);
    mark.site = site_of(file, line);
    memcpy(block, &mark, sizeof mark);
    count(&sites[mark.site].taken, size_bytes);
    return block;
}

void *tally_drop(void *block) {
    struct mark mark;
    if (!block)
        return NULL;
    memcpy(&mark, block, sizeof mark);
    CHECK(mark.magic == MAGIC && mark.site < SITES);
    memset(block, 0, sizeof mark);
    count(&sites[mark.site].dropped, mark.size_bytes);
    return block;
}

void tally_note(const char *fact) {
    CHECK(note_count < NOTES);
    notes[note_count++] = fact;
}

void tally_forked(void) {
    for (uint32_t i = 0; i < SITES; i++) {
        sites[i].taken.blocks -= sites[i].dropped.blocks;
        sites[i].taken.bytes -= sites[i].dropped.bytes;
        sites[i].dropped = (struct counts){0, 0};
    }
    written = 0;
    opened = -1;
}

void tally_drop_out(void) {
    written = 1;
}

/* Sites of the same place are added to the first of them. */
static void merge(void) {
    for (uint32_t i = 0; i < SITES; i++)
        for (uint32_t j = 0; j < i; j++)
            if (sites[i].published && sites[j].line == sites[i].line &&
                strcmp(sites[j].file, sites[i].file) == 0) {
                sites[j].taken.blocks += sites[i].taken.blocks;
                sites[j].taken.bytes += sites[i].taken.bytes;
                sites[j].dropped.blocks += sites[i].dropped.blocks;
                sites[j].dropped.bytes += sites[i].dropped.bytes;
                sites[i] = (struct site){.line = 0};
                break;
            }
}

static void put(int fd, const char *text, int length) {
    CHECK(length > 0 && write(fd, text, (size_t)length) == length);
}

static void put_total(int fd, const char *name, uint64_t value) {
    char text[128];
    put(fd, text, snprintf(text, sizeof text, "total %s %llu\n", name, (unsigned long long)value));
}

static void put_totals(int fd) {
    struct counts taken = {0, 0}, dropped = {0, 0};
    for (uint32_t i = 0; i < SITES; i++) {
        taken.blocks += sites[i].taken.blocks;
        taken.bytes += sites[i].taken.bytes;
        dropped.blocks += sites[i].dropped.blocks;
        dropped.bytes += sites[i].dropped.bytes;
    }
    put_total(fd, "allocations", taken.blocks);
    put_total(fd, "allocated_bytes", taken.bytes);
    put_total(fd, "frees", dropped.blocks);
    put_total(fd, "live_blocks", taken.blocks - dropped.blocks);
    put_total(fd, "live_bytes", taken.bytes - dropped.bytes);
}

static void put_site(int fd, const struct site *site) {
    char text[256];
    const unsigned long long blocks = site->taken.blocks, bytes = site->taken.bytes;
    put(fd, text,
        snprintf(text, sizeof text, "line %s:%d %llu %llu %llu %llu 0 0\n", site->file, site->line,
                 blocks - site->dropped.blocks, bytes - site->dropped.bytes, blocks, bytes));
}

void tally_open(void) {
    char name[64];
    if (opened >= 0 || directory < 0)
        return;
    snprintf(name, sizeof name, "%d.ledger", (int)getpid());
    opened = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    CHECK(opened >= 0);
}

void tally_write(void) {
    if (written || directory < 0)
        return;
    written = 1;
    tally_open();
    int fd = opened;
    merge();
    put_totals(fd);
    for (uint32_t i = 0; i < SITES; i++)
        if (sites[i].taken.blocks != 0)
            put_site(fd, &sites[i]);
    for (int i = 0; i < note_count; i++) {
        put(fd, notes[i], (int)strlen(notes[i]));
        put(fd, "\n", 1);
    }
    CHECK(close(fd) == 0);
}

/* Opened before a program changes its root, its user or its limits. */
__attribute__((constructor(101))) static void open_directory(void) {
    const char *path = getenv("LEDGER_DIR");
    directory = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

__attribute__((destructor(101))) static void write_at_exit(void) {
    tally_write();
}
