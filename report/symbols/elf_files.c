/* elf_files.c - looks through the places where distributions put binaries and their debug files.
 * Owns:    nothing beyond struct elf_files.   Holds: what a member points to has passed its check.
 * Threads: one at a time.   Heap: yes; short of memory means not found. */
#include "elf_files.h"
#include "unpack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include <elfutils/libdwelf.h>
#include <gelf.h>
#include <zlib.h>

#define LARGEST_VDSO ((size_t)1 << 20)

struct build_id {
    const uint8_t *bytes;
    size_t count;
};

static struct build_id file_id(const struct elf_file *file) {
    return (struct build_id){file->build_id, file->build_id_bytes};
}

static bool same_id(struct build_id a, struct build_id b) {
    return a.count && a.count == b.count && !memcmp(a.bytes, b.bytes, a.count);
}

/* Writes an id in hexadecimal; ids longer than 64 bytes are cut. */
static const char *id_text(struct build_id id, char text[129]) {
    size_t count = id.count < 64 ? id.count : 64;
    for (size_t i = 0; i < count; i++)
        snprintf(text + 2 * i, 3, "%02x", id.bytes[i]);
    text[2 * count] = '\0';
    return count ? text : "none";
}

/* "<root><dir>/<middle><name>", opened. */
static struct elf_file *open_joined(const char *root, const char *dir, const char *middle, const char *name) {
    char *path;
    if (asprintf(&path, "%s%s/%s%s", root, dir, middle, name) < 0)
        return NULL;
    struct elf_file *file = elf_file_open(path);
    free(path);
    return file;
}

/* Closes a file that is not the build we look for. */
static struct elf_file *keep_if_same(struct elf_file *file, struct build_id id) {
    if (file && !same_id(file_id(file), id)) {
        elf_file_close(file);
        return NULL;
    }
    return file;
}

/* DIR/.build-id/xx/yyyy<suffix> in every debug directory. */
static struct elf_file *find_by_id(const struct elf_places *places, struct build_id id, const char *suffix) {
    char text[129], name[160];
    if (id.count < 2 || id.count > 64)
        return NULL;
    id_text(id, text);
    snprintf(name, sizeof name, "%.2s/%s%s", text, text + 2, suffix);
    for (char **dir = places->debug_dirs; *dir; dir++) {
        struct elf_file *file = keep_if_same(open_joined(places->sysroot, *dir, ".build-id/", name), id);
        if (file)
            return file;
    }
    return NULL;
}

static bool has_checksum(const struct elf_file *file, uint32_t wanted) {
    size_t size_bytes;
    const char *bytes = elf_rawfile(file->elf, &size_bytes);
    return bytes && (uint32_t)crc32_z(0, (const unsigned char *)bytes, size_bytes) == wanted;
}

/* The directory of a path: "" for "/x", "/a" for "/a/b". To be freed; null when out of memory. */
static char *directory_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
}

/* A linked file counts if it is the same build, or, without build-ids, the very bytes. */
static struct elf_file *keep_if_linked(struct elf_file *file, const struct elf_file *main,
                                       uint32_t checksum) {
    if (!file)
        return NULL;
    bool fits = main->build_id_bytes || file->build_id_bytes ? same_id(file_id(main), file_id(file))
                                                             : has_checksum(file, checksum);
    if (fits)
        return file;
    elf_file_close(file);
    return NULL;
}

static struct elf_file *find_linked_in(const struct elf_places *places, const struct elf_file *main,
                                       const char *dir, const char *name, uint32_t checksum) {
    struct elf_file *file = keep_if_linked(open_joined("", dir, "", name), main, checksum);
    if (!file)
        file = keep_if_linked(open_joined("", dir, ".debug/", name), main, checksum);
    const char *inner =
        dir + (strncmp(dir, places->sysroot, strlen(places->sysroot)) ? 0 : strlen(places->sysroot));
    for (char **debug = places->debug_dirs; !file && *debug; debug++) {
        char *joined;
        if (asprintf(&joined, "%s%s%s", places->sysroot, *debug, inner) < 0)
            return NULL;
        file = keep_if_linked(open_joined("", joined, "", name), main, checksum);
        if (!file)
            file = keep_if_linked(open_joined(places->sysroot, *debug, "", name), main, checksum);
        free(joined);
    }
    return file;
}

/* .gnu_debuglink: a file's name, in the module's directory, its .debug, and below the debug directories. */
static struct elf_file *find_linked(const struct elf_places *places, const struct elf_file *main) {
    GElf_Word checksum;
    const char *name = main->path ? dwelf_elf_gnu_debuglink(main->elf, &checksum) : NULL;
    char *dir = name && name[0] && !strchr(name, '/') ? directory_of(main->path) : NULL;
    if (!dir)
        return NULL;
    struct elf_file *file = find_linked_in(places, main, dir, name, checksum);
    free(dir);
    return file;
}

/* .gnu_debugaltlink, as dwz writes it: a path, relative to the debug file's directory, and a build-id. */
static struct elf_file *find_alternate(const struct elf_places *places, const struct elf_file *file,
                                       bool *missing) {
    const Elf_Data *link = elf_file_data(file, ".gnu_debugaltlink");
    size_t length = link ? strnlen(link->d_buf, link->d_size) : 0;
    if (!link || length == link->d_size)
        return NULL;
    const char *name = link->d_buf;
    struct build_id id = {(const uint8_t *)name + length + 1, link->d_size - length - 1};
    struct elf_file *found = find_by_id(places, id, ".debug");
    if (!found && name[0] == '/')
        found = keep_if_same(open_joined(places->sysroot, "", "", name + 1), id);
    char *dir = !found && name[0] != '/' && file->path ? directory_of(file->path) : NULL;
    if (dir)
        found = keep_if_same(open_joined("", dir, "", name), id);
    free(dir);
    *missing = !found;
    return found;
}

/* The symbols that Fedora and others leave in stripped programs. */
static struct elf_file *find_mini(const struct elf_file *main) {
    const Elf_Data *data = elf_file_data(main, ".gnu_debugdata");
    if (!data)
        return NULL;
    struct unpacked plain = unpack_xz(data->d_buf, data->d_size);
    return plain.bytes ? elf_file_from_memory(plain.bytes, plain.size_bytes) : NULL;
}

/* The kernel's image in this process: right only if it is the build that was traced. */
static struct elf_file *copy_vdso(void) {
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)getauxval(AT_SYSINFO_EHDR);
    if (!header || memcmp(header->e_ident, ELFMAG, SELFMAG) || header->e_ident[EI_CLASS] != ELFCLASS64)
        return NULL;
    size_t size = (size_t)header->e_shoff + (size_t)header->e_shentsize * header->e_shnum;
    void *copy = size >= sizeof *header && size <= LARGEST_VDSO ? malloc(size) : NULL;
    if (!copy)
        return NULL;
    memcpy(copy, header, size);
    return elf_file_from_memory(copy, size);
}

/* The module's path without the " (deleted)" that the kernel appends. */
static char *path_of(const struct elf_places *places, const char *path, bool *deleted) {
    static const char suffix[] = " (deleted)";
    size_t length = strlen(path), cut = sizeof suffix - 1;
    char *full;
    *deleted = length > cut && !strcmp(path + length - cut, suffix);
    if (*deleted)
        length -= cut;
    return asprintf(&full, "%s%.*s", places->sysroot, (int)length, path) < 0 ? NULL : full;
}

/* Why a file is not the one that was traced; null if it may be. */
static char *refuse(const struct elf_file *file, struct build_id id, const char *path, bool deleted) {
    char wanted[129], found[129], *text = NULL;
    if (id.count ? same_id(file_id(file), id) : !deleted)
        return NULL;
    int length = id.count ? asprintf(&text, "%s has build-id %s, but the traced program used %s", path,
                                     id_text(file_id(file), found), id_text(id, wanted))
                          : asprintf(&text,
                                     "%s was deleted or replaced while it was in use, and has no "
                                     "known build-id to recognise it by",
                                     path);
    return length < 0 ? strdup("") : text;
}

static void find_main(struct elf_files *self, const struct elf_places *places,
                      const struct symbols_module *module) {
    struct build_id id = {module->build_id, module->build_id_bytes};
    bool deleted;
    if (!strcmp(module->path, "[vdso]")) {
        self->main = keep_if_same(copy_vdso(), id);
        return;
    }
    char *path = path_of(places, module->path, &deleted);
    struct elf_file *file = path && path[0] == '/' ? elf_file_open(path) : NULL;
    self->refusal = file ? refuse(file, id, path, deleted) : NULL;
    if (self->refusal) {
        elf_file_close(file);
        file = NULL;
    }
    free(path);
    self->main = file ? file : find_by_id(places, id, "");
}

struct elf_file *elf_files_open_main(const struct elf_places *places, const struct symbols_module *module) {
    struct elf_files files = {0};
    find_main(&files, places, module);
    free(files.refusal);
    return files.main;
}

void elf_files_find(struct elf_files *self, const struct elf_places *places,
                    const struct symbols_module *module) {
    *self = (struct elf_files){0};
    find_main(self, places, module);
    struct build_id id = {module->build_id, module->build_id_bytes};
    if (!id.count && self->main)
        id = file_id(self->main);
    if (!self->main || !elf_file_has_dwarf(self->main))
        self->debug = find_by_id(places, id, ".debug");
    if (!self->debug && self->main && !elf_file_has_dwarf(self->main))
        self->debug = find_linked(places, self->main);
    if (self->main && !self->debug)
        self->mini = find_mini(self->main);
    struct elf_file *dwarf = elf_files_dwarf(self);
    if (dwarf) {
        self->alternate = find_alternate(places, dwarf, &self->alternate_missing);
        elf_file_unpack(dwarf);
    }
    if (self->alternate)
        elf_file_unpack(self->alternate);
}

struct elf_file *elf_files_dwarf(const struct elf_files *self) {
    if (self->debug && elf_file_has_dwarf(self->debug))
        return self->debug;
    return self->main && elf_file_has_dwarf(self->main) ? self->main : NULL;
}

void elf_files_close(struct elf_files *self) {
    elf_file_close(self->main);
    elf_file_close(self->debug);
    elf_file_close(self->mini);
    elf_file_close(self->alternate);
    free(self->refusal);
    *self = (struct elf_files){0};
}
