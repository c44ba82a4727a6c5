/* looks.h - what commands remember of a process between two looks at it: files beside its image, which go
 * with `heaptally clean` when the process is dead. */
#ifndef HEAPTALLY_REPORT_LOOKS_H
#define HEAPTALLY_REPORT_LOOKS_H

#include "error.h"
#include "heaptally_format.h"

#include <limits.h>
#include <stdbool.h>

/* The name of a process's file of a kind: "look", "baseline", or "growth" and more. Makes its directory. */
bool looks_path(const struct ht_header *header, const char *kind, char path[PATH_MAX], struct error *error);

/* Removes those of dead processes from a directory. */
void looks_clean(const char *directory);

#endif
