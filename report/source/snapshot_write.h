/* snapshot_write.h - tables -> a snapshot file. */
#ifndef HEAPTALLY_REPORT_SNAPSHOT_WRITE_H
#define HEAPTALLY_REPORT_SNAPSHOT_WRITE_H

#include "tables.h"

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
