/* fixture.c - reads the fixtures with libelf and their sources as text.
 * Owns:    one symboliser.   Threads: one.   Heap: yes. */
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <elfutils/libdwelf.h>
#include <gelf.h>

static struct symbols *current;

const char *fixture_path(const char *name) {
    static char paths[4][4096];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", FIXTURES, name);
    return path;
}

bool fixture_exists(const char *name) {
    return access(fixture_path(name), R_OK) == 0;
}

static uint64_t find_symbol(Elf *elf, Elf_Scn *section, const char *wanted) {
    GElf_Shdr header;
    GElf_Sym symbol;
    Elf_Data *data = elf_getdata(section, NULL);
    gelf_getshdr(section, &header);
    for (int i = 0; header.sh_type == SHT_SYMTAB && gelf_getsym(data, i, &symbol); i++)
        if (!strcmp(elf_strptr(elf, header.sh_link, symbol.st_name), wanted))
            return symbol.st_value;
    return 0;
}

uint64_t fixture_symbol(const char *name, const char *wanted) {
    uint64_t value = 0;
    int descriptor = open(fixture_path(name), O_RDONLY | O_CLOEXEC);
    assert_true(descriptor >= 0);
    elf_version(EV_CURRENT);
    Elf *elf = elf_begin(descriptor, ELF_C_READ, NULL);
    for (Elf_Scn *section = NULL; !value && (section = elf_nextscn(elf, section)) != NULL;)
        value = find_symbol(elf, section, wanted);
    elf_end(elf);
    close(descriptor);
    assert_true(value != 0);
    return value;
}

unsigned fixture_line(const char *source, const char *mark) {
    char path[4096], text[512], wanted[128];
    snprintf(path, sizeof path, "%s/%s", FIXTURE_SOURCES, source);
    snprintf(wanted, sizeof wanted, "/* MARK %s */", mark);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    unsigned line = 0, found = 0;
    while (fgets(text, sizeof text, file)) {
        line++;
        if (strstr(text, wanted))
            found = line;
    }
    fclose(file);
    assert_true(found > 0);
    return found;
}

bool fixture_is_source(const char *path, const char *source) {
    char wanted[4096];
    snprintf(wanted, sizeof wanted, "%s/%s", FIXTURE_SOURCES, source);
    return path && !strcmp(path, wanted);
}

size_t fixture_build_id(const char *name, uint8_t id[64]) {
    const void *bytes;
    int descriptor = open(fixture_path(name), O_RDONLY | O_CLOEXEC);
    assert_true(descriptor >= 0);
    elf_version(EV_CURRENT);
    Elf *elf = elf_begin(descriptor, ELF_C_READ, NULL);
    ssize_t count = dwelf_elf_gnu_build_id(elf, &bytes);
    assert_true(count > 0 && count <= 64);
    memcpy(id, bytes, (size_t)count);
    elf_end(elf);
    close(descriptor);
    return (size_t)count;
}

size_t fixture_resolve(const char *name, uint64_t address, struct symbols_frame frames[16]) {
    struct symbols_module module = {.path = fixture_path(name)};
    symbols_free(current);
    current = symbols_new(NULL);
    assert_non_null(current);
    return symbols_resolve(current, symbols_add_module(current, &module), address, frames, 16);
}

struct symbols_status fixture_status(void) {
    return symbols_status(current, 0);
}
