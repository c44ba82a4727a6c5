/* test_snapshot.c - what is written, where, and what happens where it cannot be. */
#define _GNU_SOURCE
#include "support.h"

#include "image/counters.h"
#include "image/image.h"
#include "image/snapshot.h"
#include "image/snapshot_name.h"
#include "image/stacks.h"
#include "image/cells.h"
#include "image/threads.h"
#include "unwind/call_stack.h"
#include "platform/options.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static struct thread *self;

static char *read_all(const char *path, size_t *bytes) {
    struct stat status;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &status) != 0)
        return NULL;
    char *whole = malloc((size_t)status.st_size + 1);
    *bytes = (size_t)read(fd, whole, (size_t)status.st_size);
    close(fd);
    assert_int_equal(*bytes, status.st_size);
    assert_int_equal(status.st_mode & 07777, 0600);
    return whole;
}

static void set_out(const char *pattern) {
    snprintf(options.out, sizeof options.out, "%s/%s", test_directory(), pattern);
}

static const char *in_directory(const char *name) {
    static char path[700];
    snprintf(path, sizeof path, "%s/%s", test_directory(), name);
    return path;
}

static bool exists(const char *name) {
    return access(in_directory(name), F_OK) == 0;
}

static void allocate_some(void) {
    uint64_t seed = 3;
    for (uint32_t i = 0; i < 2000; i++) {
        uintptr_t pcs[20];
        for (int j = 0; j < 20; j++)
            pcs[j] = (uintptr_t)allocate_some + random_below(&seed, j < 3 ? 20 : 2);
        call_stack_set(&self->stack, pcs, 20);
        uint32_t cell = cells_find(self, stacks_intern(&self->stack, call_stack_hash(&self->stack)));
        counters_allocated(self, cell, i);
        if (i % 2 == 0)
            counters_freed(self, cell, i);
    }
}

/* ---- the file ---- */

static void check_region(const char *file, size_t bytes, const struct ht_header *header, int id) {
    const struct ht_region *region = &header->regions[id], *live = &image_header->regions[id];
    assert_int_equal(region->codec, HT_CODEC_PLAIN);
    assert_int_equal(region->record_bytes, live->record_bytes);
    assert_true(region->offset >= HT_HEADER_BYTES && region->offset % 64 == 0);
    assert_true(region->stored_bytes == 0 || region->offset + region->stored_bytes <= bytes);
    assert_true(region->stored_bytes == region->used_records * region->record_bytes);
    /* of a region that nothing was put in, not even record 0 is there */
    assert_true(region->used_records == (live->committed_bytes != 0 ? live->used_records : 0));
    assert_true(region->checksum == XXH64(file + region->offset, region->stored_bytes, 0));
    /* no writer is about: the very same bytes */
    assert_memory_equal(file + region->offset, (const char *)image_header + live->offset,
                        region->stored_bytes);
}

static void writes_the_tables(void **state) {
    (void)state;
    size_t bytes;
    set_out("whole.%n");
    uint32_t number = snapshot_take(HT_TRIGGER_API, "first label");
    assert_int_equal(number, 1);
    char *file = read_all(in_directory("whole.1"), &bytes);
    assert_non_null(file);
    struct ht_header header;
    assert_true(bytes > HT_HEADER_BYTES);
    memcpy(&header, file, sizeof header);
    assert_memory_equal(header.magic, HT_MAGIC, 8);
    assert_int_equal(header.kind, HT_KIND_SNAPSHOT);
    assert_int_equal(header.trigger, HT_TRIGGER_API);
    assert_int_equal(header.snapshots, 1);
    assert_string_equal(header.label, "first label");
    assert_true(header.taken_realtime_ns >= header.created_realtime_ns);
    assert_int_equal(header.pid, getpid());
    static char page[HT_HEADER_BYTES];
    memcpy(page, file, sizeof page);
    memset(page + offsetof(struct ht_header, header_checksum), 0, sizeof header.header_checksum);
    assert_true(header.header_checksum == XXH64(page, sizeof page, 0));
    for (int id = 0; id < HT_REGIONS; id++)
        check_region(file, bytes, &header, id);
    assert_memory_equal(&header.totals, &image_header->totals, sizeof header.totals);
    const struct ht_cell *cells = (const void *)(file + header.regions[HT_REGION_CELLS].offset);
    uint64_t allocations = 0, live = 0;
    for (uint64_t i = 1; i < header.regions[HT_REGION_CELLS].used_records; i++) {
        allocations += cells[i].allocations;
        live += cells[i].allocated_bytes - cells[i].freed_bytes;
    }
    assert_int_equal(allocations, 2000);
    assert_true(live == header.totals.live_bytes);
    free(file);
}

static void leaves_nothing_else_behind(void **state) {
    (void)state;
    char temporary[64];
    snprintf(temporary, sizeof temporary, "whole.1.%d.tmp", getpid());
    assert_false(exists(temporary));
}

static void cuts_long_labels(void **state) {
    (void)state;
    char label[300];
    size_t bytes;
    memset(label, 'x', sizeof label - 1);
    label[sizeof label - 1] = '\0';
    set_out("long.%n");
    uint32_t number = snapshot_take(HT_TRIGGER_API, label);
    char name[64];
    snprintf(name, sizeof name, "long.%u", number);
    char *file = read_all(in_directory(name), &bytes);
    assert_non_null(file);
    assert_int_equal(strlen(((struct ht_header *)(void *)file)->label), HT_LABEL_BYTES - 1);
    free(file);
}

/* A cell that the interrupted thread was writing: written as it is, marked whole, and no endless wait. */
static void does_not_wait_for_itself(void **state) {
    (void)state;
    uint32_t cell = cells_find(self, HT_STACK_FIRST);
    image_cells[cell].write_sequence++;
    set_out("odd");
    options.overwrite = true;
    assert_true(snapshot_take(HT_TRIGGER_SIGNAL, "") != 0);
    options.overwrite = false;
    image_cells[cell].write_sequence++;
    size_t bytes;
    char *file = read_all(in_directory("odd"), &bytes);
    const struct ht_header *header = (const void *)file;
    const struct ht_cell *cells = (const void *)(file + header->regions[HT_REGION_CELLS].offset);
    assert_int_equal(cells[cell].write_sequence % 2, 0);
    assert_true(cells[cell].stack == HT_STACK_FIRST);
    free(file);
}

/* ---- names ---- */

static void expands_patterns(void **state) {
    (void)state;
    char out[100], expected[200];
    assert_true(snapshot_name(out, sizeof out, "/a/%e.%p.%n.%l%%", 7, "la/b\nel", 0));
    snprintf(expected, sizeof expected, "/a/unit_preload_snapshot.%d.7.la_b_el%%", getpid());
    assert_string_equal(out, expected);
    assert_true(snapshot_name(out, sizeof out, "/a/x", 7, "", 3));
    assert_string_equal(out, "/a/x.3");
    assert_false(snapshot_name(out, 10, "/a/much/too/long", 1, "", 0));
    assert_true(snapshot_name_counts("%e.%n"));
    assert_false(snapshot_name_counts("%%n"));
    assert_false(snapshot_name_counts("n%e%%"));
}

static void write_small(const char *name, const char *text) {
    int fd = open(in_directory(name), O_CREAT | O_WRONLY | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void is_small(const char *name, const char *text) {
    size_t bytes;
    char *file = read_all(in_directory(name), &bytes);
    assert_non_null(file);
    assert_int_equal(bytes, strlen(text));
    assert_memory_equal(file, text, bytes);
    free(file);
}

static void never_overwrites(void **state) {
    (void)state;
    write_small("mine", "precious");
    set_out("mine");
    assert_true(snapshot_take(HT_TRIGGER_API, "") != 0);
    assert_true(snapshot_take(HT_TRIGGER_API, "") != 0);
    is_small("mine", "precious");
    assert_true(exists("mine.1") && exists("mine.2") && !exists("mine.3"));
    uint32_t next = image_header->snapshots + 1;
    char name[64];
    snprintf(name, sizeof name, "n.%u", next);
    write_small(name, "precious");
    set_out("n.%n");
    uint32_t number = snapshot_take(HT_TRIGGER_API, "");
    assert_int_equal(number, next + 1);
    is_small(name, "precious");
    snprintf(name, sizeof name, "n.%u", next + 1);
    assert_true(exists(name));
}

static void overwrites_when_told(void **state) {
    (void)state;
    size_t bytes;
    write_small("ours", "old");
    set_out("ours");
    options.overwrite = true;
    assert_true(snapshot_take(HT_TRIGGER_API, "") != 0);
    options.overwrite = false;
    char *file = read_all(in_directory("ours"), &bytes);
    assert_true(bytes > HT_HEADER_BYTES && memcmp(file, HT_MAGIC, 8) == 0);
    assert_false(exists("ours.1"));
    free(file);
}

/* ---- losses ---- */

static void counts_a_loss(void) {
    uint64_t before = image_header->losses[HT_LOSS_SNAPSHOTS];
    assert_int_equal(snapshot_take(HT_TRIGGER_API, ""), 0);
    assert_int_equal(image_header->losses[HT_LOSS_SNAPSHOTS], before + 1);
}

static void counts_what_it_cannot_write(void **state) {
    (void)state;
    snprintf(options.out, sizeof options.out, "/no/such/directory/x");
    counts_a_loss();
    snprintf(options.out, sizeof options.out, "/proc/x");
    counts_a_loss();
    struct rlimit was, small = {0, 0};
    getrlimit(RLIMIT_FSIZE, &was);
    small.rlim_cur = 1000;
    small.rlim_max = was.rlim_max;
    set_out("limited");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    counts_a_loss(); /* and no SIGXFSZ */
    setrlimit(RLIMIT_FSIZE, &was);
    assert_false(exists("limited"));
    set_out("again");
    assert_true(snapshot_take(HT_TRIGGER_API, "") != 0);
}

/* ---- the session's log ---- */

static void tells_its_session(void **state) {
    (void)state;
    char expected[1024];
    size_t bytes;
    options.session = 31;
    write_small("session-31.log", "");
    set_out("logged");
    uint32_t number = snapshot_take(HT_TRIGGER_SIGNAL, "");
    options.session = 0;
    char *file = read_all(in_directory("session-31.log"), &bytes);
    snprintf(expected, sizeof expected, "%d %u %d %s/logged\n", getpid(), number, HT_TRIGGER_SIGNAL,
             test_directory());
    assert_int_equal(bytes, strlen(expected));
    assert_memory_equal(file, expected, bytes);
    free(file);
}

/* A cell that was handed out ahead, and has got its stack after the bounds were read. */
static void leaves_out_what_came_later(void **state) {
    (void)state;
    uint32_t id = self->next_cell - 1, stack = image_cells[id].stack;
    size_t bytes;
    set_out("later");
    image_cells[id].stack = (uint32_t)image_header->regions[HT_REGION_STACKS].used_records;
    assert_true(image_cells[id].allocations != 0);
    assert_true(snapshot_take(HT_TRIGGER_API, "") != 0);
    image_cells[id].stack = stack;
    char *file = read_all(in_directory("later"), &bytes);
    assert_non_null(file);
    const struct ht_header *header = (const void *)file;
    const struct ht_region *region = &header->regions[HT_REGION_CELLS];
    assert_true(id < region->used_records);
    const struct ht_cell *cell = (const struct ht_cell *)(const void *)(file + region->offset) + id;
    assert_int_equal(cell->stack, HT_STACK_NONE);
    assert_int_equal(cell->allocations, 0);
    assert_int_equal(cell[-1].allocations, image_cells[id - 1].allocations);
    free(file);
}

static int set_up(void **state) {
    if (setup_image(state) != 0 || (self = threads_claim()) == NULL)
        return -1;
    allocate_some();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_the_tables),    cmocka_unit_test(leaves_nothing_else_behind),
        cmocka_unit_test(cuts_long_labels),     cmocka_unit_test(does_not_wait_for_itself),
        cmocka_unit_test(expands_patterns),     cmocka_unit_test(never_overwrites),
        cmocka_unit_test(overwrites_when_told), cmocka_unit_test(counts_what_it_cannot_write),
        cmocka_unit_test(tells_its_session),    cmocka_unit_test(leaves_out_what_came_later),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
