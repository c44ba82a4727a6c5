/* ledger.c - see ledger.h. Blocks in an open-addressed table, lines in a list, text by write(2). */
#include "ledger.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCKS = 1 << 18, LINES = 256, FOREIGN = 8 };

struct tally {
    uint64_t blocks, bytes;
};

struct line {
    const char *file;
    int line;
    struct tally live, allocated, at_peak;
};

static struct block {
    uintptr_t address; /* 0: never used; 1: left */
    size_t size_bytes;
    struct line *line;
} blocks[BLOCKS];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct line lines[LINES];
static size_t line_count;
static const char *foreign[FOREIGN];
static size_t foreign_count;
static struct tally live, allocated, peak;
static uint64_t frees;
static int threads, written;

void ledger_fail(const char *condition, const char *file, int line) {
    char text[512];
    int n = snprintf(text, sizeof text, "%s:%d: does not hold: %s\n", file, line, condition);
    (void)!write(2, text, (size_t)n);
    _exit(3);
}

static struct line *line_of(const char *file, int line) {
    for (size_t i = 0; i < line_count; i++)
        if (lines[i].line == line && strcmp(lines[i].file, file) == 0)
            return &lines[i];
    CHECK(line_count < LINES);
    lines[line_count] = (struct line){.file = file, .line = line};
    return &lines[line_count++];
}

static size_t slot_of(uintptr_t address) {
    return (size_t)((address * UINT64_C(0x9e3779b97f4a7c15)) >> 46) & (BLOCKS - 1);
}

static struct block *find(uintptr_t address) {
    size_t i = slot_of(address);
    for (size_t probes = 0; blocks[i].address != 0 && probes < BLOCKS; probes++, i = (i + 1) & (BLOCKS - 1))
        if (blocks[i].address == address)
            return &blocks[i];
    return NULL;
}

static struct block *vacancy(uintptr_t address) {
    size_t i = slot_of(address);
    for (size_t probes = 0; blocks[i].address > 1; i = (i + 1) & (BLOCKS - 1))
        CHECK(++probes < BLOCKS);
    return &blocks[i];
}

static void add(struct tally *tally, size_t size_bytes) {
    tally->blocks++;
    tally->bytes += size_bytes;
}

static void subtract(struct tally *tally, size_t size_bytes) {
    tally->blocks--;
    tally->bytes -= size_bytes;
}

/* The peak is the first of the largest values that a free of at least a byte, or the end, has found. */
static void note_peak(void) {
    if (live.bytes <= peak.bytes)
        return;
    peak = live;
    for (size_t i = 0; i < line_count; i++)
        lines[i].at_peak = lines[i].live;
}

void *ledger_enter(void *block, size_t size_bytes, const char *file, int line) {
    if (!block)
        ledger_fail("the allocation succeeds", file, line);
    pthread_mutex_lock(&lock);
    if (find((uintptr_t)block))
        ledger_fail("the block is new", file, line);
    struct line *from = line_of(file, line);
    *vacancy((uintptr_t)block) = (struct block){(uintptr_t)block, size_bytes, from};
    add(&live, size_bytes);
    add(&allocated, size_bytes);
    add(&from->live, size_bytes);
    add(&from->allocated, size_bytes);
    pthread_mutex_unlock(&lock);
    return block;
}

void ledger_leave(void *address) {
    pthread_mutex_lock(&lock);
    struct block *block = find((uintptr_t)address);
    CHECK(block != NULL);
    if (block->size_bytes != 0)
        note_peak();
    frees++;
    subtract(&live, block->size_bytes);
    subtract(&block->line->live, block->size_bytes);
    block->address = 1;
    pthread_mutex_unlock(&lock);
}

static void change(struct tally *tally, uint64_t count, uint64_t size_bytes) {
    tally->blocks += count;
    tally->bytes += size_bytes;
}

void ledger_allocated(const char *file, int line, uint64_t count, uint64_t size_bytes) {
    pthread_mutex_lock(&lock);
    struct line *from = line_of(file, line);
    struct tally *const tallies[] = {&live, &allocated, &from->live, &from->allocated};
    for (int i = 0; i < 4; i++)
        change(tallies[i], count, size_bytes);
    pthread_mutex_unlock(&lock);
}

void ledger_freed(const char *file, int line, uint64_t count, uint64_t size_bytes) {
    pthread_mutex_lock(&lock);
    struct line *from = line_of(file, line);
    if (size_bytes != 0)
        note_peak();
    frees += count;
    change(&live, -count, -size_bytes);
    change(&from->live, -count, -size_bytes);
    pthread_mutex_unlock(&lock);
}

void ledger_foreign(const char *module) {
    CHECK(foreign_count < FOREIGN);
    foreign[foreign_count++] = module;
}

void ledger_threads(void) {
    threads = 1;
}

void ledger_forked(void) {
    allocated = live;
    peak = (struct tally){0, 0};
    frees = 0;
    for (size_t i = 0; i < line_count; i++) {
        lines[i].allocated = lines[i].live;
        lines[i].at_peak = (struct tally){0, 0};
    }
    written = 0;
}

static void put(int fd, const char *text, int length) {
    CHECK(length > 0 && write(fd, text, (size_t)length) == length);
}

static void put_total(int fd, const char *name, uint64_t value) {
    char text[128];
    put(fd, text, snprintf(text, sizeof text, "total %s %llu\n", name, (unsigned long long)value));
}

static void put_line(int fd, const struct line *line) {
    char text[512];
    const char *slash = strrchr(line->file, '/');
    const struct tally *tallies[] = {&line->live, &line->allocated, &line->at_peak};
    int n = snprintf(text, sizeof text, "line %s:%d", slash ? slash + 1 : line->file, line->line);
    for (int i = 0; i < 3; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, " %llu %llu", (unsigned long long)tallies[i]->blocks,
                      (unsigned long long)tallies[i]->bytes);
    text[n++] = '\n';
    put(fd, text, n);
}

static void put_all(int fd) {
    put_total(fd, "allocations", allocated.blocks);
    put_total(fd, "allocated_bytes", allocated.bytes);
    put_total(fd, "frees", frees);
    put_total(fd, "live_blocks", live.blocks);
    put_total(fd, "live_bytes", live.bytes);
    put_total(fd, "peak_blocks", peak.blocks);
    put_total(fd, "peak_bytes", peak.bytes);
    for (size_t i = 0; i < line_count; i++)
        put_line(fd, &lines[i]);
    for (size_t i = 0; i < foreign_count; i++) {
        char text[256];
        put(fd, text, snprintf(text, sizeof text, "foreign %s\n", foreign[i]));
    }
    if (threads)
        put(fd, "threads\n", 8);
}

static void write_to(const char *suffix) {
    char path[4096];
    const char *directory = getenv("LEDGER_DIR");
    if (!directory)
        return;
    snprintf(path, sizeof path, "%s/%d%s.ledger", directory, (int)getpid(), suffix);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    note_peak();
    put_all(fd);
    CHECK(close(fd) == 0);
}

void ledger_write(void) {
    if (!written)
        write_to("");
    written = 1;
}

void ledger_write_as(const char *name) {
    char suffix[64];
    snprintf(suffix, sizeof suffix, ".%s", name);
    write_to(suffix);
}

/* The last of the program's own destructors; the tracer's come after those of the program. */
__attribute__((destructor(101))) static void write_at_exit(void) {
    ledger_write();
}
