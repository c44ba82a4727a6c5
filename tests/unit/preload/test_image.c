/* test_image.c - the live image: its layout, its bounds, and what it does where it cannot have its way.
 * An image is one per process, so every test runs in a child. */
#define _GNU_SOURCE
#include "support.h"

#include "image/image.h"
#include "image/process.h"
#include "image/stacks.h"
#include "platform/options.h"
#include "platform/sys.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a kernel with larger pages ---- */

size_t __real_sys_page_bytes(void);
int __real_sys_protect(void *address, size_t bytes, int protection);
int __real_sys_advise(void *address, size_t bytes, int advice);
size_t __wrap_sys_page_bytes(void);
int __wrap_sys_protect(void *address, size_t bytes, int protection);
int __wrap_sys_advise(void *address, size_t bytes, int advice);

static size_t larger_page; /* 0: pages are this machine's */

size_t __wrap_sys_page_bytes(void) {
    return larger_page != 0 ? larger_page : __real_sys_page_bytes();
}

/* Lengths are rounded up, addresses are not: mprotect(2), madvise(2). Such a kernel would have aligned the
 * image itself, so it is the offset in it that counts. */
static bool refused(const void *address, size_t *bytes) {
    size_t page = __wrap_sys_page_bytes();
    *bytes = (*bytes + page - 1) & ~(page - 1);
    return (size_t)((const char *)address - (const char *)image_header) % page != 0;
}

int __wrap_sys_protect(void *address, size_t bytes, int protection) {
    return refused(address, &bytes) ? -EINVAL : __real_sys_protect(address, bytes, protection);
}

int __wrap_sys_advise(void *address, size_t bytes, int advice) {
    return refused(address, &bytes) ? -EINVAL : __real_sys_advise(address, bytes, advice);
}

static void in_a_child(void (*body)(void)) {
    assert_int_equal(in_child(body), 0);
}

static bool start(const char *memory) {
    set_options(memory, NULL);
    return CHECK(begin_image());
}

/* ---- layout and file ---- */

static void describes_itself_body(void) {
    if (!start("HEAPTALLY_MEMORY=16M"))
        return;
    const struct ht_header *header = image_header;
    CHECK(memcmp(header->magic, HT_MAGIC, 8) == 0 && header->version == HT_VERSION);
    CHECK(header->header_bytes == HT_HEADER_BYTES && header->byte_order == HT_BYTE_ORDER);
    CHECK(header->kind == HT_KIND_IMAGE && header->state == HT_STATE_RUNNING);
    CHECK(header->pid == (uint32_t)getpid() && header->parent_pid == (uint32_t)getppid());
    CHECK(header->user_id == geteuid() && header->nframe == 128 && header->pointer_bytes == sizeof(void *));
    CHECK(header->start_ticks == process_start_ticks(header->pid) && header->start_ticks != 0);
    CHECK(header->budget_bytes == 16u << 20 && header->losses[HT_LOSS_NO_FILE] == 0);
    CHECK(header->hash_key[0] != 0 && header->hash_key[0] >> 59 == 0 && header->hash_key[1] >> 59 == 0);
    CHECK(strstr(header->executable, "unit_preload_image") != NULL);
    CHECK(strstr(header->command_line, "unit_preload_image") != NULL && header->command_line_bytes != 0);
    uint64_t end = HT_HEADER_BYTES;
    for (int i = 0; i < HT_REGIONS; i++) {
        const struct ht_region *region = &header->regions[i];
        CHECK(region->offset >= end && region->offset % 65536 == 0);
        CHECK(region->used_records == 0 ? region->capacity_bytes == 0 : region->capacity_bytes != 0);
        CHECK(region->committed_bytes == 0 ||
              region->used_records * region->record_bytes <= region->committed_bytes);
        end = region->offset + region->capacity_bytes;
    }
    CHECK((const char *)image_stacks - (const char *)header ==
          (ptrdiff_t)header->regions[HT_REGION_STACKS].offset);
    struct stat status;
    CHECK(stat(image_path(), &status) == 0 && (uint64_t)status.st_size == end);
    CHECK((status.st_mode & 07777) == 0600 && S_ISREG(status.st_mode));
    CHECK((uint64_t)status.st_blocks * 512 < 1u << 20); /* sparse */
    image_remove();
    CHECK(image_path()[0] == '\0');
}

static void describes_itself(void **state) {
    (void)state;
    in_a_child(describes_itself_body);
}

static void leaves_no_descriptor_body(void) {
    int before = dup(0);
    close(before);
    if (!start("HEAPTALLY_MEMORY=16M"))
        return;
    image_take(HT_REGION_CELLS, 10000);
    int after = dup(0);
    CHECK(before == after);
    image_remove();
}

static void leaves_no_descriptor(void **state) {
    (void)state;
    in_a_child(leaves_no_descriptor_body);
}

/* A name that is taken, by whatever it is, is left alone. */
static void takes_the_next_name_body(void) {
    char taken[512], dangling[512];
    set_options("HEAPTALLY_NFRAME=128", NULL);
    snprintf(taken, sizeof taken, "%s/%d.%llu.0%s", test_directory(), getpid(),
             (unsigned long long)process_start_ticks((uint32_t)getpid()), HT_IMAGE_SUFFIX);
    snprintf(dangling, sizeof dangling, "%s/%d.%llu.1%s", test_directory(), getpid(),
             (unsigned long long)process_start_ticks((uint32_t)getpid()), HT_IMAGE_SUFFIX);
    int fd = open(taken, O_CREAT | O_EXCL | O_WRONLY, 0600);
    CHECK(fd >= 0 && write(fd, "kept", 4) == 4 && close(fd) == 0);
    CHECK(symlink("/nonexistent/target", dangling) == 0);
    CHECK(begin_image() && image_header->exec_index == 2);
    struct stat status;
    CHECK(stat(taken, &status) == 0 && status.st_size == 4);
    CHECK(lstat(dangling, &status) == 0 && S_ISLNK(status.st_mode));
    image_remove();
}

static void takes_the_next_name(void **state) {
    (void)state;
    in_a_child(takes_the_next_name_body);
}

/* ---- taking ---- */

static void takes_up_to_the_budget_body(void) {
    if (!start("HEAPTALLY_MEMORY=2M"))
        return;
    const struct ht_region *region = &image_header->regions[HT_REGION_CELLS];
    uint64_t next = region->used_records, taken = 0, id;
    while ((id = image_take(HT_REGION_CELLS, 7)) != 0 && taken < 1u << 20) {
        CHECK(id == next);
        for (uint64_t i = id; i < id + 7; i++) {
            static const struct ht_cell zero;
            CHECK(memcmp(&image_cells[i], &zero, sizeof zero) == 0);
            image_cells[i].stack = 1;
        }
        next += 7;
        taken += 7;
        CHECK(region->used_records * sizeof(struct ht_cell) <= region->committed_bytes);
    }
    CHECK(taken * sizeof(struct ht_cell) > 1u << 20 && taken * sizeof(struct ht_cell) <= 2u << 20);
    CHECK(image_header->committed_bytes <= image_header->budget_bytes);
    uint64_t sum = 0;
    for (int i = 0; i < HT_REGIONS; i++)
        sum += image_header->regions[i].committed_bytes;
    CHECK(sum == image_header->committed_bytes);
    CHECK(image_take(HT_REGION_CELLS, 7) == 0);
    CHECK(image_take(HT_REGION_CELLS, 1u << 30) == 0);
    CHECK(image_header->losses[HT_LOSS_COMMIT] == 0); /* a budget is no failure */
    image_remove();
}

static void takes_up_to_the_budget(void **state) {
    (void)state;
    in_a_child(takes_up_to_the_budget_body);
}

#define THREADS 4
#define TAKES   20000

static void *take_and_mark(void *argument) {
    uint32_t mark = *(uint32_t *)argument;
    for (uint32_t i = 0; i < TAKES; i++) {
        uint64_t count = 1 + i % 9, first = image_take(HT_REGION_FRAMES, count);
        if (!CHECK(first != 0))
            return NULL;
        for (uint64_t j = first; j < first + count; j++)
            CHECK(__atomic_exchange_n(&image_frames[j], mark, __ATOMIC_RELAXED) == 0);
    }
    return NULL;
}

static void gives_a_record_once_body(void) {
    pthread_t threads[THREADS];
    uint32_t marks[THREADS], expected = 0;
    if (!start("HEAPTALLY_MEMORY=64M"))
        return;
    for (uint32_t i = 0; i < TAKES; i++)
        expected += THREADS * (1 + i % 9);
    for (uint32_t i = 0; i < THREADS; i++) {
        marks[i] = i + 1;
        CHECK(pthread_create(&threads[i], NULL, take_and_mark, &marks[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK(image_header->regions[HT_REGION_FRAMES].used_records == 1 + expected);
    uint64_t sum = 0;
    for (int i = 0; i < HT_REGIONS; i++)
        sum += image_header->regions[i].committed_bytes;
    CHECK(sum == image_header->committed_bytes);
    image_remove();
}

static void gives_a_record_once(void **state) {
    (void)state;
#if defined(__SANITIZE_THREAD__)
    skip(); /* a forked child may not start threads there */
#endif
    in_a_child(gives_a_record_once_body);
}

/* ---- adversity ---- */

static void is_anonymous(const char *directory) {
    char setting[600];
    snprintf(setting, sizeof setting, "HEAPTALLY_DIR=%s", directory);
    set_options(setting, "HEAPTALLY_MEMORY=4M", NULL);
    if (!CHECK(begin_image()))
        return;
    CHECK(image_header->losses[HT_LOSS_NO_FILE] == 1);
    CHECK(image_path()[0] == '\0');
    CHECK(image_take(HT_REGION_CELLS, 1000) != 0);
}

static void has_no_directory_body(void) {
    is_anonymous("/proc/no/such/directory");
}

static void has_a_file_for_directory_body(void) {
    char path[512];
    snprintf(path, sizeof path, "%s/file", test_directory());
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    close(fd);
    is_anonymous(path);
}

static void has_a_link_for_directory_body(void) {
    char path[512];
    snprintf(path, sizeof path, "%s/link", test_directory());
    CHECK(symlink(test_directory(), path) == 0);
    is_anonymous(path);
}

static void has_an_open_directory_body(void) {
    char path[512];
    snprintf(path, sizeof path, "%s/open", test_directory());
    CHECK(mkdir(path, 0700) == 0 && chmod(path, 0777) == 0);
    is_anonymous(path);
}

static void does_without_a_directory(void **state) {
    (void)state;
    in_a_child(has_no_directory_body);
    in_a_child(has_a_file_for_directory_body);
    in_a_child(has_a_link_for_directory_body);
    in_a_child(has_an_open_directory_body);
}

static void makes_its_directory_body(void) {
    char path[512], setting[600];
    struct stat status;
    snprintf(path, sizeof path, "%s/made", test_directory());
    snprintf(setting, sizeof setting, "HEAPTALLY_DIR=%s", path);
    set_options(setting, NULL);
    CHECK(begin_image() && image_header->losses[HT_LOSS_NO_FILE] == 0);
    CHECK(stat(path, &status) == 0 && (status.st_mode & 07777) == 0700);
    image_remove();
}

static void makes_its_directory(void **state) {
    (void)state;
    in_a_child(makes_its_directory_body);
}

static void limit(int resource, rlim_t bytes) {
    const struct rlimit limits = {bytes, bytes};
    CHECK(setrlimit((__rlimit_resource_t)resource, &limits) == 0);
}

static void has_a_small_file_size_limit_body(void) {
    set_options("HEAPTALLY_MEMORY=64M", NULL);
    limit(RLIMIT_FSIZE, 65536);
    CHECK(begin_image() && image_header->losses[HT_LOSS_NO_FILE] == 1); /* and no SIGXFSZ */
}

static void heeds_the_file_size_limit(void **state) {
    (void)state;
    in_a_child(has_a_small_file_size_limit_body);
}

static void has_a_small_address_space_body(void) {
    set_options("HEAPTALLY_MEMORY=1G", NULL);
    limit(RLIMIT_AS, (rlim_t)400 << 20);
    CHECK(begin_image());
    CHECK(image_header->budget_bytes < (rlim_t)50 << 20);
    const struct ht_region *last = &image_header->regions[HT_REGIONS - 1];
    CHECK(last->offset + last->capacity_bytes <= (rlim_t)100 << 20);
    CHECK(image_take(HT_REGION_CELLS, 100) != 0);
    void *rest = mmap(NULL, (size_t)200 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(rest != MAP_FAILED); /* the program's own */
    image_remove();
}

static void shrinks_with_the_address_space(void **state) {
    (void)state;
#ifdef UNIT_LIGHT
    skip(); /* sanitizers reserve terabytes */
#endif
    in_a_child(has_a_small_address_space_body);
}

static void has_no_address_space_body(void) {
    set_options("HEAPTALLY_NFRAME=128", NULL);
    limit(RLIMIT_AS, 4096);
    CHECK(!begin_image());
    CHECK(image_header == NULL && image_path()[0] == '\0');
}

static void gives_up_without_memory(void **state) {
    (void)state;
#ifdef UNIT_LIGHT
    skip();
#endif
    in_a_child(has_no_address_space_body);
}

/* ---- after a fork ---- */

static void child_of_image(bool (*expect)(void)) {
    pid_t child = fork();
    if (child == 0)
        _exit(expect() ? 0 : 1);
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static bool adopts(void) {
    uint64_t used = image_header->regions[HT_REGION_STACKS].used_records;
    uint32_t parent = image_header->pid;
    uint64_t key = image_header->hash_key[0];
    bool right = CHECK(image_adopt());
    right &= CHECK(image_header->magic[0] == '\0'); /* not before its figures are the child's */
    image_publish();
    right &= CHECK(memcmp(image_header->magic, HT_MAGIC, sizeof image_header->magic) == 0);
    right &= CHECK(image_header->pid == (uint32_t)getpid() && image_header->parent_pid == parent);
    right &= CHECK(image_header->regions[HT_REGION_STACKS].used_records == used);
    right &= CHECK(image_header->hash_key[0] == key && image_stacks[HT_STACK_OVERFLOW].hash_lo == 1);
    right &= CHECK(image_cells[1].allocations == 77 && image_header->losses[HT_LOSS_NO_FILE] == 0);
    image_cells[1].allocations = 88;
    right &= CHECK(image_take(HT_REGION_CELLS, 5000) != 0);
    image_remove();
    return right;
}

static void gives_a_child_its_own_body(void) {
    if (!start("HEAPTALLY_MEMORY=16M"))
        return;
    CHECK(image_take(HT_REGION_CELLS, 100) != 0);
    image_cells[1].allocations = 77;
    child_of_image(adopts);
    CHECK(image_cells[1].allocations == 77 && image_header->pid == (uint32_t)getpid());
    image_remove();
}

static void gives_a_child_its_own(void **state) {
    (void)state;
    in_a_child(gives_a_child_its_own_body);
}

/* Another thread of the parent commits more between the fork and the child's first event. */
static bool adopts_what_came_later(void) {
    while (__atomic_load_n(&image_cells[1].frees, __ATOMIC_ACQUIRE) == 0)
        usleep(1000);
    bool right = CHECK(image_adopt());
    right &= CHECK(image_header->pid == (uint32_t)getpid() && image_cells[5000].allocations == 99);
    image_remove();
    return right;
}

static void gives_a_child_what_came_later_body(void) {
    if (!start("HEAPTALLY_MEMORY=16M"))
        return;
    CHECK(image_take(HT_REGION_CELLS, 100) != 0);
    pid_t child = fork();
    if (child == 0)
        _exit(adopts_what_came_later() ? 0 : 1);
    int status = 0;
    CHECK(image_take(HT_REGION_CELLS, 5000) != 0);
    image_cells[5000].allocations = 99;
    __atomic_store_n(&image_cells[1].frees, 1, __ATOMIC_RELEASE);
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    image_remove();
}

static void gives_a_child_what_came_later(void **state) {
    (void)state;
    in_a_child(gives_a_child_what_came_later_body);
}

/* Whether it can be traced is one thing; it must not be killed. */
static bool survives_adoption(void) {
    if (image_adopt())
        return CHECK(image_header->pid == (uint32_t)getpid() && image_take(HT_REGION_CELLS, 100) != 0);
    return true;
}

static void has_a_child_under_limits_body(void) {
    if (!start("HEAPTALLY_MEMORY=16M"))
        return;
    limit(RLIMIT_FSIZE, 4096);
    child_of_image(survives_adoption);
    image_remove();
}

static void has_a_child_without_directory_body(void) {
    is_anonymous("/proc/no/such/directory");
    child_of_image(survives_adoption);
}

static void spares_a_child_under_limits(void **state) {
    (void)state;
    in_a_child(has_a_child_under_limits_body);
    in_a_child(has_a_child_without_directory_body);
}

/* ---- larger pages ---- */

/* Regions that grow by turns, in steps that are no multiples of a page. */
static bool grows(void) {
    static const enum ht_region_id turns[] = {HT_REGION_STRINGS, HT_REGION_PCS, HT_REGION_FRAMES,
                                              HT_REGION_STACKS, HT_REGION_CELLS};
    for (uint32_t i = 0; i < 300; i++)
        for (size_t k = 0; k < sizeof turns / sizeof *turns; k++) {
            const struct ht_region *region = &image_header->regions[turns[k]];
            uint64_t first = image_take(turns[k], 97 + i);
            if (!CHECK(first != 0) || !CHECK(region->committed_bytes % larger_page == 0))
                return false;
            memset((char *)image_header + region->offset + first * region->record_bytes, 1,
                   (97 + i) * region->record_bytes);
        }
    return CHECK(image_header->losses[HT_LOSS_COMMIT] == 0);
}

static bool adopts_and_grows(void) {
    return CHECK(image_adopt()) && grows();
}

static void has_larger_pages_body(void) {
    if (!start("HEAPTALLY_MEMORY=64M"))
        return;
    grows();
    child_of_image(adopts_and_grows);
    image_remove();
}

/* 16 and 64 KiB are those of aarch64. */
static void serves_larger_pages(void **state) {
    (void)state;
    for (larger_page = 16384; larger_page <= 65536; larger_page *= 4)
        in_a_child(has_larger_pages_body);
    larger_page = 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(describes_itself),
        cmocka_unit_test(leaves_no_descriptor),
        cmocka_unit_test(takes_the_next_name),
        cmocka_unit_test(takes_up_to_the_budget),
        cmocka_unit_test(gives_a_record_once),
        cmocka_unit_test(does_without_a_directory),
        cmocka_unit_test(makes_its_directory),
        cmocka_unit_test(heeds_the_file_size_limit),
        cmocka_unit_test(shrinks_with_the_address_space),
        cmocka_unit_test(gives_up_without_memory),
        cmocka_unit_test(gives_a_child_its_own),
        cmocka_unit_test(gives_a_child_what_came_later),
        cmocka_unit_test(spares_a_child_under_limits),
        cmocka_unit_test(serves_larger_pages),
    };
    test_directory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
