/* support.c - see support.h. */
#define _GNU_SOURCE
#include "support.h"

#include "image/image.h"
#include "image/stacks.h"
#include "platform/options.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[256];
static pid_t directory_owner;
static int failures;

uint64_t random_next(uint64_t *state) {
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

uint64_t random_below(uint64_t *state, uint64_t bound) {
    return random_next(state) % bound;
}

static void remove_directory(void) {
    if (getpid() != directory_owner)
        return;
    DIR *entries = opendir(directory);
    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
        char path[sizeof directory + sizeof entry->d_name + 2];
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (unlink(path) != 0)
            rmdir(path);
    }
    if (entries != NULL)
        closedir(entries);
    rmdir(directory);
}

const char *test_directory(void) {
    if (directory[0] == '\0') {
        const char *base = getenv("TMPDIR");
        snprintf(directory, sizeof directory, "%s/heaptally-unit-XXXXXX", base != NULL ? base : "/tmp");
        assert_non_null(mkdtemp(directory));
        directory_owner = getpid();
        atexit(remove_directory);
    }
    return directory;
}

void set_options(const char *first, ...) {
    char where[512], name[512], message[1024];
    char *environment[16] = {where, name};
    size_t count = 2;
    snprintf(where, sizeof where, "HEAPTALLY_DIR=%s", test_directory());
    snprintf(name, sizeof name, "HEAPTALLY_OUT=%s/%%e.%%p.%%n.hts", test_directory());
    va_list rest;
    va_start(rest, first);
    for (const char *setting = first; setting != NULL && count < 15; setting = va_arg(rest, const char *))
        environment[count++] = (char *)(uintptr_t)setting;
    va_end(rest);
    environment[count] = NULL;
    if (!options_read(environment, message, sizeof message))
        fail_msg("%s", message);
}

bool begin_image(void) {
    if (!image_create())
        return false;
    assert_true(stacks_begin());
    image_header->totals.peak_sequence = 1;
    return true;
}

static void remove_image(void) {
    if (getpid() == directory_owner)
        image_remove();
}

int setup_image(void **state) {
    (void)state;
    set_options("HEAPTALLY_MEMORY=512M", NULL);
    atexit(remove_image);
    return begin_image() ? 0 : -1;
}

struct stack_hash test_point(void) {
    return (struct stack_hash){image_header->hash_key[0], image_header->hash_key[1]};
}

bool check_that(bool condition, const char *text, const char *file, int line) {
    if (!condition && __atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED) < 20)
        fprintf(stderr, "%s:%d: check failed: %s\n", file, line, text);
    return condition;
}

int failed_checks(void) {
    return __atomic_load_n(&failures, __ATOMIC_RELAXED);
}

int in_child(void (*body)(void)) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        failures = 0;
        body();
        fflush(NULL);
        _exit(failures < 100 ? failures : 100);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}
