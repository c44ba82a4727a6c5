/* snapshot.h - snapshot files: bytes -> tables, tables -> file. */
#ifndef HEAPTALLY_REPORT_SNAPSHOT_H
#define HEAPTALLY_REPORT_SNAPSHOT_H

#include "tables.h"

/* Reads a snapshot that lies in memory. Verifies every checksum; no size in the file decides an
 * allocation unless the bytes that are there can account for it. Returns checked tables, to be freed by
 * the caller, or null with the error. `name` is for messages. */
struct tables *snapshot_parse(const void *bytes, size_t size_bytes, const char *name, struct error *error);

/* Reads the snapshot file `path`. */
struct tables *snapshot_read(const char *path, struct error *error);

/* How a snapshot is written. */
struct snapshot_options {
    enum ht_trigger trigger;
    uint32_t number;   /* its own number */
    const char *label; /* may be null */
    bool compress;     /* zstd */
    bool overwrite;    /* replace an existing file */
};

/* Writes tables as a snapshot to `path`, mode 0600: first under another name beside it, then moved into
 * place, so that nobody ever sees half a file. If a file is there and overwrite is false: false, and
 * *exists (if not null) is true. */
bool snapshot_write(const struct tables *tables, const char *path, const struct snapshot_options *options,
                    bool *exists, struct error *error);

#endif
