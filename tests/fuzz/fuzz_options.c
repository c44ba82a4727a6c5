/* fuzz_options.c - an environment -> the tracer's options, and the names of snapshots that they lead to.
 *
 * An input is how much room there is for a message and for a name (a byte each), the name of a program, a
 * label, and the variables of an environment, each ended by a NUL. What is accepted is in the range that the
 * manual states; what is refused is named in a message that fits. The command, which finds the same names and
 * sizes in code of its own, must find the same ones. LD_PRELOAD without the tracer has all other libraries,
 * in their order.
 *
 * Threads: one.  Heap: the target's own. */
#define _GNU_SOURCE
#include "../../preload/image/image.h"
#include "../../preload/image/snapshot_name.h"
#include "../../preload/platform/options.h"
#include "commands/options.h"
#include "source/pattern.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                   \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

#define OWN_NAME "libheaptally.so"

struct input {
    size_t message_bytes, name_bytes;
    const char *program, *label;
    char **environment; /* null-terminated; strings of their own */
    size_t count;
};

static char *copy_of(const char *text) {
    char *copy = strdup(text); /* of exactly its size: a sanitizer sees what is written behind it */
    REQUIRE(copy != NULL);
    return copy;
}

static char *next_string(const char **at, const char *end) {
    char *string = copy_of(*at < end ? *at : "");
    if (*at < end)
        *at += strlen(*at) + 1;
    return string;
}

/* ---- what was read ---- */

static bool has_value(const struct input *input, const char *name, const char **value) {
    size_t length = strlen(name);
    *value = NULL;
    for (size_t i = 0; i < input->count; i++)
        if (strncmp(input->environment[i], name, length) == 0 && input->environment[i][length] == '=')
            *value = input->environment[i] + length + 1;
    return *value != NULL;
}

static void check_path(const char *path, size_t bytes) {
    REQUIRE(memchr(path, '\0', bytes) != NULL && path[0] == '/');
    REQUIRE(strchr(path, '\n') == NULL);
}

static void check_ranges(void) {
    check_path(options.directory, sizeof options.directory);
    check_path(options.out, sizeof options.out);
    REQUIRE(pattern_check(options.out, NULL) || strlen(options.out) > 1023);
    REQUIRE(options.nframe >= 1 && options.nframe <= HT_NFRAME_MAX);
    REQUIRE(options.signal >= 0 && options.signal <= SIGRTMAX);
    static const int never[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        REQUIRE(options.signal != never[i]);
    REQUIRE(options.memory_bytes >= 1u << 20 && options.memory_bytes <= (uint64_t)64 << 30);
    REQUIRE(options.sample_bytes <= (uint64_t)64 << 30);
    REQUIRE(options.verify_every <= UINT32_MAX);
    REQUIRE(options.unwinder >= UNWINDER_DEFAULT && options.unwinder <= UNWINDER_FRAME_POINTER);
}

/* The message names the variable, and ends where its room does. */
static void check_message(const struct input *input, const char *message) {
    static const char start[] = "heaptally: HEAPTALLY_";
    size_t length = strnlen(message, input->message_bytes);
    REQUIRE(length < input->message_bytes);
    REQUIRE(strncmp(message, start, length < sizeof start - 1 ? length : sizeof start - 1) == 0);
    REQUIRE(length + 1 == input->message_bytes || message[length - 1] == '\n');
}

/* ---- the command's own reading of the same ---- */

static void check_bytes(const struct input *input, const char *name, uint64_t read) {
    const char *value;
    uint64_t bytes;
    if (has_value(input, name, &value))
        REQUIRE(options_bytes(value, &bytes) && bytes == read);
}

static void check_numbers(const struct input *input) {
    const char *value;
    check_bytes(input, "HEAPTALLY_MEMORY", options.memory_bytes);
    check_bytes(input, "HEAPTALLY_SAMPLE", options.sample_bytes);
    if (has_value(input, "HEAPTALLY_NFRAME", &value))
        REQUIRE(strtoull(value, NULL, 10) == options.nframe);
    if (has_value(input, "HEAPTALLY_SESSION", &value))
        REQUIRE(strtoull(value, NULL, 10) == options.session);
}

/* ---- names ---- */

/* A program or a label adds no part to a path, and no byte that is an order to a terminal. */
static void check_harmless(const char *name, const char *pattern) {
    size_t slashes = 0, allowed = 0;
    for (; *name != '\0'; name++) {
        slashes += *name == '/';
        REQUIRE(((unsigned char)*name >= 0x20 && *name != 0x7f) || strchr(pattern, *name) != NULL);
    }
    for (; *pattern != '\0'; pattern++)
        allowed += *pattern == '/';
    REQUIRE(slashes <= allowed);
}

static void check_names(const struct input *input) {
    static struct ht_header header;
    struct pattern_values values = {
        .program = header.program, .pid = 4242, .number = 7, .label = input->label};
    char *name = malloc(input->name_bytes), *expected = malloc(input->name_bytes);
    REQUIRE(name != NULL && expected != NULL);
    memset(header.program, 0, sizeof header.program);
    snprintf(header.program, sizeof header.program, "%s", input->program);
    header.pid = values.pid;
    image_header = &header;
    bool fits = snapshot_name(name, input->name_bytes, options.out, values.number, input->label, 0);
    REQUIRE(strnlen(name, input->name_bytes) < input->name_bytes);
    check_harmless(name, options.out);
    if (strchr(header.program, '/') ==
        NULL) { /* a program's name is the last part of a path; the command cuts it */
        REQUIRE(pattern_expand(options.out, &values, expected, input->name_bytes) == fits);
        REQUIRE(!fits || strcmp(name, expected) == 0);
    }
    REQUIRE(snapshot_name_counts(options.out) == pattern_has_number(options.out));
    snapshot_name(name, input->name_bytes, options.out, values.number, input->label, 3);
    REQUIRE(strnlen(name, input->name_bytes) < input->name_bytes);
    free(name);
    free(expected);
}

/* The command refuses a pattern that the tracer would refuse, and no other. */
static void check_pattern(const char *value, bool accepted) {
    if (value[0] == '/')
        REQUIRE(pattern_check(value, NULL) == accepted);
}

/* Each variable alone: whether it is accepted. */
static bool accepted_alone(char *entry) {
    char *environment[] = {entry, NULL};
    char message[64];
    return options_read(environment, message, sizeof message);
}

static void check_each(const struct input *input, bool accepted) {
    static const char out[] = "HEAPTALLY_OUT=";
    bool all = true;
    for (size_t i = 0; i < input->count; i++) {
        bool alone = accepted_alone(input->environment[i]);
        if (strncmp(input->environment[i], out, sizeof out - 1) == 0)
            check_pattern(input->environment[i] + sizeof out - 1, alone);
        all = all && alone;
    }
    REQUIRE(all == accepted);
}

/* ---- LD_PRELOAD ---- */

static bool is_own(const char *at, size_t length) {
    size_t own = strlen(OWN_NAME);
    return length >= own && memcmp(at + length - own, OWN_NAME, own) == 0;
}

/* The libraries of a list but ours, with a colon before each. */
static char *others(const char *list) {
    char *out = calloc(1, strlen(list) + 2);
    REQUIRE(out != NULL);
    for (size_t length; *list != '\0'; list += length + (list[length] != '\0')) {
        length = strcspn(list, ": ");
        if (length != 0 && !is_own(list, length)) {
            strcat(out, ":");
            strncat(out, list, length);
        }
    }
    return out;
}

static void check_unfollow(struct input *input) {
    static const char preload[] = "LD_PRELOAD=";
    char **before = calloc(input->count + 1, sizeof *before);
    REQUIRE(before != NULL);
    for (size_t i = 0; i < input->count; i++)
        before[i] = copy_of(input->environment[i]);
    options_unfollow(input->environment, OWN_NAME);
    for (size_t i = 0; i < input->count; i++) {
        if (strncmp(before[i], preload, sizeof preload - 1) == 0) {
            char *expected = others(before[i] + sizeof preload - 1);
            const char *list = input->environment[i] + sizeof preload - 1;
            REQUIRE(strcmp(list, expected + (expected[0] == ':')) == 0);
            free(expected);
        } else {
            REQUIRE(strcmp(input->environment[i], before[i]) == 0);
        }
        free(before[i]);
    }
    free(before);
}

/* ---- inputs ---- */

static void read_environment(struct input *input) {
    char *message = malloc(input->message_bytes);
    REQUIRE(message != NULL);
    bool accepted = options_read(input->environment, message, (uint32_t)input->message_bytes);
    if (accepted) {
        check_ranges();
        check_numbers(input);
        check_names(input);
    } else {
        check_message(input, message);
    }
    check_each(input, accepted);
    check_unfollow(input);
    free(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = {0};
    if (size < 3)
        return 0;
    /* Room for all of it in a third of the cases, and hardly any in others. */
    input.message_bytes = data[0] < 85 ? 4096 : data[0];
    input.name_bytes = data[1] < 85 ? 4096 : data[1];
    char *text = malloc(size - 1);
    REQUIRE(text != NULL && chdir("/") == 0);
    memcpy(text, data + 2, size - 2);
    text[size - 2] = '\0';
    const char *at = text, *end = text + size - 2;
    char *program = next_string(&at, end), *label = next_string(&at, end);
    input.program = program;
    input.label = label;
    input.environment = calloc(size, sizeof *input.environment);
    REQUIRE(input.environment != NULL);
    while (at < end)
        input.environment[input.count++] = next_string(&at, end);
    read_environment(&input);
    for (size_t i = 0; i < input.count; i++)
        free(input.environment[i]);
    free(input.environment);
    free(program);
    free(label);
    free(text);
    return 0;
}
