/* snapshot.h - snapshot files: bytes -> tables. */
#ifndef HEAPTALLY_REPORT_SNAPSHOT_H
#define HEAPTALLY_REPORT_SNAPSHOT_H

#include "tables.h"

/* Reads a snapshot that lies in memory. Verifies every checksum; no size in the file decides an
 * allocation unless the bytes that are there can account for it. Returns checked tables, to be freed by
 * the caller, or null with the error. `name` is for messages. */
struct tables *snapshot_parse(const void *bytes, size_t size_bytes, const char *name, struct error *error);

/* Reads the snapshot file `path`. */
struct tables *snapshot_read(const char *path, struct error *error);

#endif
