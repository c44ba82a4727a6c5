/* test_agreement.c - thousands of addresses of the C library, asked of llvm-symbolizer too. Lines and the
 * length of every chain must agree; names may be aliases of each other. Skipped where the tool or the debug
 * info is missing. */
#include "fixture.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define ADDRESSES 5000
#define FRAMES    64

struct text_segment {
    uint64_t start, size;
    char path[4096];
};

static int find_text(struct dl_phdr_info *info, size_t size, void *out) {
    struct text_segment *text = out;
    (void)size;
    if (!strstr(info->dlpi_name, "/libc.so"))
        return 0;
    snprintf(text->path, sizeof text->path, "%s", info->dlpi_name);
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && info->dlpi_phdr[i].p_flags & PF_X) {
            text->start = info->dlpi_phdr[i].p_vaddr;
            text->size = info->dlpi_phdr[i].p_memsz;
        }
    return 1;
}

static const char *find_tool(void) {
    static const char *const tools[] = {"llvm-symbolizer",    "llvm-symbolizer-14", "llvm-symbolizer-15",
                                        "llvm-symbolizer-16", "llvm-symbolizer-17", "llvm-symbolizer-18",
                                        "llvm-symbolizer-19"};
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++) {
        char command[128];
        snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", tools[i]);
        if (system(command) == 0)
            return tools[i];
    }
    return NULL;
}

static void write_addresses(const char *path, const struct text_segment *text, uint64_t *addresses) {
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    uint64_t seed = 7;
    for (size_t i = 0; i < ADDRESSES; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        addresses[i] = text->start + (seed >> 16) % text->size;
        fprintf(file, "0x%llx\n", (unsigned long long)addresses[i]);
    }
    fclose(file);
}

/* "dir/name.c:12:3" -> 12 and the name from the last slash on. */
static unsigned split_place(char *place, const char **name) {
    char *column = strrchr(place, ':');
    assert_non_null(column);
    *column = '\0';
    char *line = strrchr(place, ':');
    assert_non_null(line);
    *line = '\0';
    char *slash = strrchr(place, '/');
    *name = slash ? slash + 1 : place;
    return (unsigned)strtoul(line + 1, NULL, 10);
}

static bool same_place(const struct symbols_frame *frame, char *place) {
    const char *name;
    unsigned line = split_place(place, &name);
    if (!frame->file) /* the tool takes a file's name from the symbol table then */
        return line == 0;
    const char *slash = strrchr(frame->file, '/');
    return line == frame->line && !strcmp(name, slash ? slash + 1 : frame->file);
}

/* Reads the tool's answer for one address, up to the empty line. */
static bool agrees(FILE *answers, const struct symbols_frame *frames, size_t count) {
    static char function[65536], place[65536];
    size_t index = 0;
    bool same = true;
    while (fgets(function, sizeof function, answers) && function[0] != '\n') {
        assert_non_null(fgets(place, sizeof place, answers));
        if (index < count)
            same = same && same_place(&frames[index], place);
        else
            same = same && count == 0 && index == 0 && !strncmp(place, "??:0", 4);
        index++;
    }
    return same && (index == count || count == 0);
}

static size_t count_agreements(FILE *answers, struct symbols *symbols, const uint64_t *addresses) {
    size_t same = 0;
    struct symbols_frame frames[FRAMES];
    for (size_t i = 0; i < ADDRESSES; i++) {
        size_t count = symbols_resolve(symbols, 0, addresses[i], frames, FRAMES);
        if (agrees(answers, frames, count))
            same++;
        else if (same + 5 > i)
            print_message("differs at 0x%llx\n", (unsigned long long)addresses[i]);
    }
    return same;
}

static void lines_agree_with_llvm_symbolizer(void **state) {
    static uint64_t addresses[ADDRESSES];
    struct text_segment text = {0};
    struct symbols_frame frame;
    const char *tool = find_tool(), *list = fixture_path("addresses");
    (void)state;
    dl_iterate_phdr(find_text, &text);
    struct symbols_module module = {.path = text.path};
    struct symbols *symbols = symbols_new(NULL);
    symbols_resolve(symbols, symbols_add_module(symbols, &module), text.start, &frame, 1);
    if (!tool || symbols_status(symbols, 0).quality != SYMBOLS_DWARF) {
        symbols_free(symbols);
        print_message("skipped: needs llvm-symbolizer and the debug info of the C library\n");
        skip();
    }
    write_addresses(list, &text, addresses);
    char command[9000];
    snprintf(command, sizeof command, "%s --inlines -e '%s' < '%s'", tool, text.path, list);
    FILE *answers = popen(command, "r");
    assert_non_null(answers);
    size_t same = count_agreements(answers, symbols, addresses);
    pclose(answers);
    symbols_free(symbols);
    print_message("%zu of %d chains agree with %s\n", same, ADDRESSES, tool);
    assert_true(same >= ADDRESSES * 999 / 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines_agree_with_llvm_symbolizer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
