/* image.h - reads the live image of a running or a dead process into tables.
 *
 * The process goes on writing meanwhile: cells are copied between two equal, even values of their
 * sequence; the rest was complete before a cell could name it, so cells are read first. */
#ifndef HEAPTALLY_REPORT_IMAGE_H
#define HEAPTALLY_REPORT_IMAGE_H

#include "tables.h"

/* Reads the image file `path`. running: somebody may be writing to it (CELLS are then read twice).
 * Returns checked tables, to be freed by the caller, or null with the error. */
struct tables *image_read(const char *path, bool running, struct error *error);

/* The same from bytes in memory, 8-byte aligned, that nobody truncates. */
struct tables *image_freeze(const void *bytes, size_t size_bytes, bool running, const char *name,
                            struct error *error);

/* Reads the header alone of an image that is open as `fd`: for lists of processes. */
bool image_read_header(int fd, const char *name, struct ht_header *header, struct error *error);

#endif
