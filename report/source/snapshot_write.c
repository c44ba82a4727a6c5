/* snapshot_write.c - see snapshot_write.h.
 * Owns:    the temporary file until it has its name.
 * Holds:   a reader sees no file or a whole one; a file that is there stays, unless told otherwise.
 * Threads: any.  Signals: no.  Heap: yes. */
#define _GNU_SOURCE
#include "snapshot_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#define ZSTD_LEVEL 3

struct packed {
    void *bytes; /* owned if it was compressed */
    uint64_t size;
    bool compressed;
};

/* Compressed if asked for and if that is smaller. */
static bool pack(struct packed *to, const struct records *from, uint64_t size, bool compress) {
    *to = (struct packed){from->at, size, false};
    if (!compress || size == 0)
        return true;
    size_t bound = ZSTD_compressBound(size);
    void *room = malloc(bound);
    if (room == NULL)
        return false;
    size_t got = ZSTD_compress(room, bound, from->at, size, ZSTD_LEVEL);
    if (ZSTD_isError(got) || got >= size)
        free(room);
    else
        *to = (struct packed){room, got, true};
    return true;
}

static bool write_all(int fd, const void *bytes, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t got = write(fd, (const char *)bytes + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

/* Packs and writes one region at the end of the file, and notes in the header where it is. */
static bool write_region(int fd, struct ht_header *header, int id, const struct records *records,
                         bool compress) {
    struct ht_region *region = &header->regions[id];
    uint64_t size = (uint64_t)records->count * tables_record_bytes((enum ht_region_id)id);
    struct packed packed;
    if (!pack(&packed, records, size, compress)) {
        errno = ENOMEM;
        return false;
    }
    off_t end = lseek(fd, 0, SEEK_END);
    *region = (struct ht_region){.record_bytes = tables_record_bytes((enum ht_region_id)id),
                                 .codec = packed.compressed ? HT_CODEC_ZSTD : HT_CODEC_PLAIN,
                                 .offset = (uint64_t)end,
                                 .capacity_bytes = size,
                                 .committed_bytes = size,
                                 .used_records = records->count,
                                 .stored_bytes = packed.size,
                                 .checksum = XXH64(packed.bytes, packed.size, 0)};
    bool done = end >= 0 && write_all(fd, packed.bytes, packed.size);
    if (packed.compressed)
        free(packed.bytes);
    return done;
}

static void describe(struct ht_header *header, const struct snapshot_options *options) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    memcpy(header->magic, HT_MAGIC, sizeof header->magic);
    header->version = HT_VERSION;
    header->kind = HT_KIND_SNAPSHOT;
    header->taken_realtime_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    header->trigger = options->trigger;
    header->snapshots = options->number;
    memset(header->label, 0, sizeof header->label);
    if (options->label != NULL)
        snprintf(header->label, sizeof header->label, "%s", options->label);
    header->header_checksum = 0;
}

/* The header comes last: until then the file has no magic. */
static bool write_file(int fd, const struct tables *tables, const struct snapshot_options *options) {
    static _Alignas(64) unsigned char page[HT_HEADER_BYTES];
    struct ht_header *header = (void *)page;
    memset(page, 0, sizeof page);
    if (!write_all(fd, page, sizeof page))
        return false;
    *header = tables->header;
    describe(header, options);
    for (int i = 0; i < HT_REGIONS; i++)
        if (!write_region(fd, header, i, &tables->region[i], options->compress))
            return false;
    header->header_checksum = XXH64(page, sizeof page, 0);
    return pwrite(fd, page, sizeof page, 0) == (ssize_t)sizeof page;
}

/* rename that does not replace; by link where the file system knows no such rename. */
static bool move_into_place(const char *from, const char *to, bool overwrite) {
    if (overwrite)
        return rename(from, to) == 0;
    if (syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS)
        return false;
    return link(from, to) == 0 && unlink(from) == 0;
}

bool snapshot_write(const struct tables *tables, const char *path, const struct snapshot_options *options,
                    bool *exists, struct error *error) {
    char *temporary = NULL;
    if (exists != NULL)
        *exists = false;
    if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
        return error_out_of_memory(error);
    int fd = mkostemp(temporary, O_CLOEXEC);
    bool done =
        fd >= 0 && write_file(fd, tables, options) && move_into_place(temporary, path, options->overwrite);
    int why = errno;
    if (fd >= 0)
        close(fd);
    if (fd >= 0 && !done)
        unlink(temporary);
    free(temporary);
    if (done)
        return true;
    if (exists != NULL)
        *exists = why == EEXIST;
    return error_set(error, "%s: cannot be written: %s%s", path, strerror(why),
                     why == EEXIST ? " (--overwrite replaces it)" : "");
}
