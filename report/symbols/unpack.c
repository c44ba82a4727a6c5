/* unpack.c - xz and zstd, with bounds on what a small file may claim to hold.
 * Owns:    nothing: results belong to the caller.   Holds: no allocation is larger than LARGEST bytes.
 * Threads: any.   Heap: yes, every failure returned. */
#include "unpack.h"

#include <stdlib.h>
#include <stdint.h>

#include <gelf.h>
#include <lzma.h>
#include <zstd.h>

#define LARGEST_XZ    ((size_t)1 << 28)
#define LARGEST_ZSTD  ((uint64_t)1 << 33)
#define LARGEST_RATIO 20000u
#define XZ_MEMORY     ((uint64_t)1 << 28)

#ifndef ELFCOMPRESS_ZSTD
#define ELFCOMPRESS_ZSTD 2
#endif

static bool grow(struct unpacked *out) {
    size_t size = out->size_bytes ? out->size_bytes * 2 : 1 << 16;
    void *bytes = size <= LARGEST_XZ ? realloc(out->bytes, size) : NULL;
    if (!bytes)
        return false;
    *out = (struct unpacked){bytes, size};
    return true;
}

/* Runs the decoder to the end of the stream. */
static bool decode(lzma_stream *stream, struct unpacked *out) {
    lzma_ret state = LZMA_OK;
    while (state == LZMA_OK) {
        size_t done = (size_t)stream->total_out;
        if (stream->avail_out == 0) {
            if (!grow(out))
                return false;
            stream->next_out = (uint8_t *)out->bytes + done;
            stream->avail_out = out->size_bytes - done;
        }
        state = lzma_code(stream, LZMA_FINISH);
    }
    out->size_bytes = (size_t)stream->total_out;
    return state == LZMA_STREAM_END;
}

struct unpacked unpack_xz(const void *bytes, size_t size_bytes) {
    lzma_stream stream = LZMA_STREAM_INIT;
    struct unpacked out = {0};
    if (lzma_stream_decoder(&stream, XZ_MEMORY, 0) != LZMA_OK)
        return out;
    stream.next_in = bytes;
    stream.avail_in = size_bytes;
    bool done = decode(&stream, &out);
    lzma_end(&stream);
    if (!done) {
        free(out.bytes);
        return (struct unpacked){0};
    }
    return out;
}

/* The bytes of a section behind its compression header. */
static struct unpacked unpack_zstd(Elf *elf, const Elf_Data *data, uint64_t size) {
    size_t header = gelf_getclass(elf) == ELFCLASS32 ? sizeof(Elf32_Chdr) : sizeof(Elf64_Chdr);
    if (data->d_size <= header || size > LARGEST_ZSTD || size / LARGEST_RATIO > data->d_size)
        return (struct unpacked){0};
    struct unpacked out = {malloc((size_t)size + 1), (size_t)size};
    if (!out.bytes)
        return (struct unpacked){0};
    size_t got =
        ZSTD_decompress(out.bytes, out.size_bytes, (const char *)data->d_buf + header, data->d_size - header);
    if (ZSTD_isError(got) || got != out.size_bytes) {
        free(out.bytes);
        return (struct unpacked){0};
    }
    return out;
}

/* Makes libelf believe that the section was never compressed. */
static bool replace_section(Elf_Scn *section, GElf_Shdr *header, Elf_Data *data, struct unpacked plain) {
    header->sh_flags &= ~(GElf_Xword)SHF_COMPRESSED;
    header->sh_size = plain.size_bytes;
    if (!gelf_update_shdr(section, header))
        return false;
    data->d_buf = plain.bytes;
    data->d_size = plain.size_bytes;
    data->d_type = ELF_T_BYTE;
    return true;
}

static bool unpack_section(Elf *elf, Elf_Scn *section, void **kept) {
    GElf_Shdr header;
    GElf_Chdr compression;
    if (!gelf_getshdr(section, &header) || !(header.sh_flags & SHF_COMPRESSED) ||
        !gelf_getchdr(section, &compression) || compression.ch_type != ELFCOMPRESS_ZSTD)
        return true;
    Elf_Data *data = elf_getdata(section, NULL);
    struct unpacked plain = data ? unpack_zstd(elf, data, compression.ch_size) : (struct unpacked){0};
    if (!plain.bytes)
        return false;
    if (!replace_section(section, &header, data, plain)) {
        free(plain.bytes);
        return false;
    }
    *kept = plain.bytes;
    return true;
}

bool unpack_zstd_sections(Elf *elf, void **kept, size_t capacity, size_t *kept_count) {
    bool all = true;
    *kept_count = 0;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section)) != NULL;) {
        if (*kept_count == capacity)
            return false;
        kept[*kept_count] = NULL;
        all = unpack_section(elf, section, &kept[*kept_count]) && all;
        *kept_count += kept[*kept_count] != NULL;
    }
    return all;
}
