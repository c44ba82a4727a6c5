/* process.h - what /proc says of a process. */
#ifndef HEAPTALLY_REPORT_PROCESS_H
#define HEAPTALLY_REPORT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* Parses the text of /proc/PID/stat. Returns false when it is not one. A process that only waits to be
 * reaped is not alive: its memory is gone. */
bool process_parse_stat(const char *text, uint64_t *start_ticks, bool *alive);

/* Whether a process `pid` lives, and since when (field 22 of its stat). */
bool process_alive(uint32_t pid, uint64_t *start_ticks);

bool process_owner(uint32_t pid, uid_t *owner);

/* Writes the path of the first image in the text of /proc/PID/maps that fits; false if there is none. */
bool process_image_in_maps(FILE *maps, char *path, size_t path_bytes);

/* Writes the path of an image that process `pid` has mapped; false if it has none. */
bool process_mapped_image(uint32_t pid, char *path, size_t path_bytes);

#endif
