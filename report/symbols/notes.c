/* notes.c - walks the notes of section .note.heaptally.
 * Owns:    struct notes' array.
 * Threads: one at a time.   Heap: yes, every failure seen as "not there". */
#include "notes.h"

#include <stdlib.h>
#include <string.h>

#include <gelf.h>

#define SECTION     ".note.heaptally"
#define OWNER       "heaptally"
#define SUPPRESSION 1

static void add(struct notes *self, const char *text, size_t length, struct names *names) {
    const char **texts = reallocarray(self->texts, self->count + 1, sizeof *texts);
    if (!texts)
        return;
    self->texts = texts;
    char *copy = strndup(text, length);
    const char *name = copy ? names_intern(names, copy) : NULL;
    free(copy);
    if (name)
        texts[self->count++] = name;
}

void notes_read(struct notes *self, const struct elf_file *file, struct names *names) {
    GElf_Shdr header;
    GElf_Nhdr note;
    Elf_Scn *section = elf_file_section(file, SECTION);
    if (!section || !gelf_getshdr(section, &header) || header.sh_type == SHT_NOBITS ||
        header.sh_offset > INT64_MAX)
        return;
    /* whatever type a compiler gave to the section */
    Elf_Data *data = elf_getdata_rawchunk(file->elf, (int64_t)header.sh_offset, header.sh_size, ELF_T_NHDR);
    size_t owner, text, next;
    for (size_t at = 0; data && (next = gelf_getnote(data, at, &note, &owner, &text)) > 0; at = next) {
        const char *bytes = data->d_buf;
        if (note.n_type == SUPPRESSION && note.n_namesz == sizeof OWNER &&
            !memcmp(bytes + owner, OWNER, sizeof OWNER))
            add(self, bytes + text, note.n_descsz, names);
    }
}

void notes_clear(struct notes *self) {
    free(self->texts);
    *self = (struct notes){0};
}
