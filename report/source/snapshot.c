/* snapshot.c - see snapshot.h.
 * Owns:    nothing beyond a call.
 * Holds:   what it returns was verified: checksums, codecs, indices.
 * Threads: any.  Signals: no.  Heap: yes. */
#define _GNU_SOURCE
#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

/* A zstd block of 4 bytes can stand for 128 KiB of one byte. */
#define ZSTD_RATIO_MAX 40000u

static bool complain(const char *name, const struct ht_region *region, int id, const char *what,
                     struct error *error) {
    return error_set(error, "%s: offset %" PRIu64 ": %s: %s: the file is damaged", name, region->offset,
                     tables_region_name((enum ht_region_id)id), what);
}

static bool check_header_sum(const void *bytes, const char *name, struct error *error) {
    static _Alignas(64) unsigned char copy[HT_HEADER_BYTES];
    struct ht_header *header = (void *)copy;
    memcpy(copy, bytes, sizeof copy);
    uint64_t expected = header->header_checksum;
    header->header_checksum = 0;
    if (XXH64(copy, sizeof copy, 0) == expected)
        return true;
    return error_set(error, "%s: offset %zu: the header's checksum does not match: the file is damaged", name,
                     offsetof(struct ht_header, header_checksum));
}

/* Sizes that contradict each other, before any of them is believed. */
static bool check_sizes(const struct ht_region *region, int id, const char *name, struct error *error) {
    if (region->used_records > UINT64_MAX / region->record_bytes ||
        region->capacity_bytes != region->used_records * region->record_bytes)
        return complain(name, region, id, "its size is not that of its records", error);
    switch (region->codec) {
    case HT_CODEC_PLAIN:
        if (region->stored_bytes != region->capacity_bytes)
            return complain(name, region, id, "it has another size than its records", error);
        return true;
    case HT_CODEC_ZSTD:
        if (region->capacity_bytes / ZSTD_RATIO_MAX > region->stored_bytes)
            return complain(name, region, id, "it cannot hold as much as it claims", error);
        return true;
    default: return complain(name, region, id, "an unknown codec", error);
    }
}

static bool decompress(struct records *to, const struct ht_region *region, int id, const char *from,
                       const char *name, struct error *error) {
    unsigned long long content = ZSTD_getFrameContentSize(from, region->stored_bytes);
    if (content != region->capacity_bytes)
        return complain(name, region, id, "the compressed data have another size", error);
    if (!tables_reserve(to, (enum ht_region_id)id, region->capacity_bytes, error))
        return false;
    size_t got = ZSTD_decompress(to->at, region->capacity_bytes, from, region->stored_bytes);
    if (ZSTD_isError(got) || got != region->capacity_bytes)
        return complain(name, region, id, ZSTD_isError(got) ? ZSTD_getErrorName(got) : "short data", error);
    return true;
}

static bool parse_region(struct tables *self, int id, const char *bytes, const char *name,
                         struct error *error) {
    const struct ht_region *region = &self->header.regions[id];
    const char *from = bytes + (region->stored_bytes != 0 ? region->offset : 0);
    if (!check_sizes(region, id, name, error))
        return false;
    if (XXH64(from, region->stored_bytes, 0) != region->checksum)
        return complain(name, region, id, "its checksum does not match", error);
    if (region->codec == HT_CODEC_ZSTD)
        return decompress(&self->region[id], region, id, from, name, error);
    if (!tables_reserve(&self->region[id], (enum ht_region_id)id, region->capacity_bytes, error))
        return false;
    memcpy(self->region[id].at, from, region->capacity_bytes);
    return true;
}

static bool parse_into(struct tables *self, const void *bytes, size_t size_bytes, const char *name,
                       struct error *error) {
    if (!tables_take_header(self, HT_KIND_SNAPSHOT, bytes, size_bytes, name, error))
        return false;
    if (!check_header_sum(bytes, name, error))
        return false;
    for (int i = 0; i < HT_REGIONS; i++)
        if (!parse_region(self, i, bytes, name, error))
            return false;
    return tables_check(self, name, error);
}

struct tables *snapshot_parse(const void *bytes, size_t size_bytes, const char *name, struct error *error) {
    struct tables *self = tables_new();
    if (self == NULL) {
        error_out_of_memory(error);
        return NULL;
    }
    if (parse_into(self, bytes, size_bytes, name, error))
        return self;
    tables_free(self);
    return NULL;
}

/* ---- the file ---- */

/* Reads and does not map: a file that shrinks is then a short read. */
static void *read_bytes(int fd, size_t *size, const char *path, struct error *error) {
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        error_set(error, "%s: not a regular file", path);
        return NULL;
    }
    *size = (size_t)status.st_size;
    void *bytes = mmap(NULL, *size + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED) {
        error_out_of_memory(error);
        return NULL;
    }
    size_t done = 0;
    ssize_t got = 0;
    while (done < *size && (got = read(fd, (char *)bytes + done, *size - done)) > 0)
        done += (size_t)got;
    if (done == *size)
        return bytes;
    error_set(error, "%s: offset %zu: %s", path, done, got < 0 ? strerror(errno) : "the file was cut");
    munmap(bytes, *size + 1);
    return NULL;
}

struct tables *snapshot_read(const char *path, struct error *error) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        error_set(error, "%s: %s", path, strerror(errno));
        return NULL;
    }
    size_t size;
    void *bytes = read_bytes(fd, &size, path, error);
    close(fd);
    if (bytes == NULL)
        return NULL;
    struct tables *tables = snapshot_parse(bytes, size, path, error);
    munmap(bytes, size + 1);
    return tables;
}
