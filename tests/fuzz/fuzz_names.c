/* fuzz_names.c - names of a traced program and patterns of a user: demangled, shortened, matched, printed.
 *
 * An input is a name, a NUL, a pattern. What is printed must hold no byte that a terminal takes for an order.
 *
 * Threads: one.  Heap: yes. */
#include "render/harmless.h"
#include "render/json.h"
#include "source/pattern.h"
#include "stats/blame.h"
#include "symbols/names.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_harmless(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7f)
            abort();
    }
}

static void print(const char *name) {
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL)
        abort();
    harmless_put(out, name);
    if (fclose(out) != 0)
        abort();
    check_harmless(text, length);
    free(text);
}

static void match(const char *name, const char *pattern) {
    char qualified[256];
    const char *const extra[] = {pattern, NULL};
    struct blame blame = {.extra = extra, .extra_count = 1};
    struct frame frame = {.function = name, .file = pattern};
    blame_qualified_name(name, qualified, sizeof qualified);
    struct blame_judge *judge = blame_judge_new(&blame);
    if (judge == NULL)
        abort();
    blame_skips(judge, &frame);
    blame_judge_free(judge);
}

static void expand(const char *name, const char *pattern) {
    char path[256];
    struct error error;
    struct pattern_values values = {.program = name, .pid = 1, .number = 2, .label = name};
    if (pattern_check(pattern, &error) && pattern_expand(pattern, &values, path, sizeof path) &&
        memchr(path, '\0', sizeof path) == NULL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = malloc(size + 2);
    if (text == NULL)
        abort();
    memcpy(text, data, size);
    text[size] = text[size + 1] = '\0';
    const char *name = text, *pattern = text + strlen(text) + 1;
    pattern = pattern > text + size ? "" : pattern;
    struct names *names = names_new();
    const char *readable = names_readable(names, name);
    print(readable != NULL ? readable : name);
    match(readable != NULL ? readable : name, pattern);
    expand(name, pattern);
    names_free(names);
    free(text);
    return 0;
}
