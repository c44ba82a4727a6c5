/* elf_file.c - opening, closing, sections by name.
 * Owns:    what struct elf_file lists.   Holds: only regular files are read, so nothing can block.
 * Threads: one at a time.   Heap: yes, every failure returned. */
#include "elf_file.h"
#include "unpack.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <elfutils/libdwelf.h>
#include <gelf.h>

static struct elf_file *new_file(void) {
    struct elf_file *self = calloc(1, sizeof *self);
    if (self)
        self->descriptor = -1;
    return self;
}

/* Accepts ELF alone, notes the build-id; closes and returns null otherwise. */
static struct elf_file *check(struct elf_file *self) {
    const void *build_id = NULL;
    if (!self->elf || elf_kind(self->elf) != ELF_K_ELF) {
        elf_file_close(self);
        return NULL;
    }
    ssize_t bytes = dwelf_elf_gnu_build_id(self->elf, &build_id);
    if (bytes > 0) {
        self->build_id = build_id;
        self->build_id_bytes = (size_t)bytes;
    }
    return self;
}

static int open_regular(const char *path) {
    struct stat status;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor >= 0 && (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode))) {
        close(descriptor);
        return -1;
    }
    return descriptor;
}

struct elf_file *elf_file_open(const char *path) {
    int descriptor = open_regular(path);
    if (descriptor < 0)
        return NULL;
    struct elf_file *self = new_file();
    if (!self) {
        close(descriptor);
        return NULL;
    }
    elf_version(EV_CURRENT);
    self->descriptor = descriptor;
    self->path = strdup(path);
    self->elf = self->path ? elf_begin(descriptor, ELF_C_READ_MMAP_PRIVATE, NULL) : NULL;
    return check(self);
}

struct elf_file *elf_file_from_memory(void *bytes, size_t size_bytes) {
    struct elf_file *self = new_file();
    if (!self) {
        free(bytes);
        return NULL;
    }
    elf_version(EV_CURRENT);
    self->memory = bytes;
    self->elf = elf_memory(bytes, size_bytes);
    return check(self);
}

void elf_file_close(struct elf_file *self) {
    if (!self)
        return;
    elf_end(self->elf);
    for (size_t i = 0; i < self->unpacked_count; i++)
        free(self->unpacked[i]);
    free(self->memory);
    free(self->path);
    if (self->descriptor >= 0)
        close(self->descriptor);
    free(self);
}

/* libdw reads strings of a line table's header without looking for the end of their section (0.188): each
 * such section must end in NUL. The file's pages are private copies, so its last byte may be written. */
static void end_strings(const struct elf_file *self, const char *name) {
    GElf_Shdr header;
    Elf_Scn *section = elf_file_section(self, name);
    if (!section || !gelf_getshdr(section, &header) || header.sh_type == SHT_NOBITS)
        return;
    if (name[1] == 'z')
        elf_compress_gnu(section, 0, 0);
    else if (header.sh_flags & SHF_COMPRESSED)
        elf_compress(section, 0, 0);
    const Elf_Data *data = elf_getdata(section, NULL);
    char *last = data && data->d_buf && data->d_size ? (char *)data->d_buf + data->d_size - 1 : NULL;
    if (last && *last)
        *last = '\0';
}

void elf_file_unpack(struct elf_file *self) {
    static const char *const strings[] = {".debug_str", ".debug_line_str", ".zdebug_str", ".zdebug_line_str"};
    if (self->unpacked_count == 0)
        self->undecoded =
            !unpack_zstd_sections(self->elf, self->unpacked, ELF_FILE_UNPACKED, &self->unpacked_count);
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        end_strings(self, strings[i]);
}

Elf_Scn *elf_file_section(const struct elf_file *self, const char *name) {
    size_t names;
    if (elf_getshdrstrndx(self->elf, &names) != 0)
        return NULL;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(self->elf, section)) != NULL;) {
        GElf_Shdr header;
        const char *text =
            gelf_getshdr(section, &header) ? elf_strptr(self->elf, names, header.sh_name) : NULL;
        if (text && !strcmp(text, name))
            return section;
    }
    return NULL;
}

const Elf_Data *elf_file_data(const struct elf_file *self, const char *name) {
    GElf_Shdr header;
    Elf_Scn *section = elf_file_section(self, name);
    if (!section || !gelf_getshdr(section, &header) || header.sh_type == SHT_NOBITS)
        return NULL;
    const Elf_Data *data = elf_getdata(section, NULL);
    return data && data->d_buf && data->d_size ? data : NULL;
}

bool elf_file_has_dwarf(const struct elf_file *self) {
    GElf_Shdr header;
    Elf_Scn *section = elf_file_section(self, ".debug_info");
    if (!section)
        section = elf_file_section(self, ".zdebug_info");
    return section && gelf_getshdr(section, &header) && header.sh_type != SHT_NOBITS && header.sh_size;
}
