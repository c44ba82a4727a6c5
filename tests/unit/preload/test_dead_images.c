/* test_dead_images.c - what the dead may hold together is bounded; the living are left alone. */
#define _GNU_SOURCE
#include "support.h"

#include "heaptally_format.h"
#include "image/dead_images.h"
#include "image/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DEAD_PID 4194304u /* PID_MAX_LIMIT: no process has it */

static void make(const char *name, off_t bytes, time_t age_seconds) {
    char path[600];
    struct timespec now, times[2];
    snprintf(path, sizeof path, "%s/%s", test_directory(), name);
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
    assert_true(fd >= 0);
    if (bytes != 0)
        assert_int_equal(posix_fallocate(fd, 0, bytes), 0);
    clock_gettime(CLOCK_REALTIME, &now);
    times[0] = times[1] = (struct timespec){now.tv_sec - age_seconds, 0};
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
}

static void make_dead(unsigned number, off_t bytes, time_t age_seconds) {
    char name[100];
    snprintf(name, sizeof name, "%u.%u.0%s", DEAD_PID, number + 1, HT_IMAGE_SUFFIX);
    make(name, bytes, age_seconds);
}

static bool exists(const char *name) {
    char path[600];
    snprintf(path, sizeof path, "%s/%s", test_directory(), name);
    return access(path, F_OK) == 0;
}

static bool dead_exists(unsigned number) {
    char name[100];
    snprintf(name, sizeof name, "%u.%u.0%s", DEAD_PID, number + 1, HT_IMAGE_SUFFIX);
    return exists(name);
}

static unsigned empty_directory(void) {
    DIR *entries = opendir(test_directory());
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", test_directory(), entry->d_name);
        count += unlink(path) == 0;
    }
    closedir(entries);
    return count;
}

static void bounds_their_number(void **state) {
    (void)state;
    char mine[100];
    uint64_t ticks = process_start_ticks((uint32_t)getpid());
    snprintf(mine, sizeof mine, "%d.%llu.3%s", getpid(), (unsigned long long)ticks, HT_IMAGE_SUFFIX);
    make(mine, 0, 100000); /* oldest of all, and alive */
    char reused[100];
    snprintf(reused, sizeof reused, "%d.%llu.0%s", getpid(), (unsigned long long)ticks + 1, HT_IMAGE_SUFFIX);
    make(reused, 0, 99999); /* our pid, another process */
    static const char *const others[] = {"readme", "1.2.htimage", "x.1.0.htimage", "1.1.0.htimage.tmp",
                                         "session-7.log"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        make(others[i], 0, 200000);
    for (unsigned i = 0; i < 120; i++)
        make_dead(i, 0, (time_t)(10 * (i + 1)));
    dead_images_bound(test_directory());
    for (unsigned i = 0; i < 120; i++)
        assert_int_equal(dead_exists(i), i < 100); /* the oldest went */
    assert_true(exists(mine));
    assert_false(exists(reused));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_true(exists(others[i]));
    empty_directory();
}

static void bounds_their_bytes(void **state) {
    (void)state;
    for (unsigned i = 0; i < 6; i++)
        make_dead(i, (off_t)48 << 20, (time_t)(10 * (i + 1)));
    dead_images_bound(test_directory());
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(dead_exists(i), i < 5);
    assert_int_equal(empty_directory(), 5);
}

static void leaves_a_few_alone(void **state) {
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        make_dead(i, 0, 10);
    dead_images_bound(test_directory());
    assert_int_equal(empty_directory(), 100);
    dead_images_bound(test_directory());
    dead_images_bound("/no/such/directory");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_their_number),
        cmocka_unit_test(bounds_their_bytes),
        cmocka_unit_test(leaves_a_few_alone),
    };
    test_directory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
