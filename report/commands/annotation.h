/* annotation.h - a source that is open -> the lines of one file -> text or JSON: what annotate prints.
 * For the command, its tests and the fuzzer of sources.
 * Threads: one.  Signals: no.  Heap: yes. */
#ifndef HEAPTALLY_REPORT_ANNOTATION_H
#define HEAPTALLY_REPORT_ANNOTATION_H

#include "loading.h"

#include <stdio.h>

/* Prints the lines of `place`, FILE[:FUNCTION], with columns of details if the metric of `loading`, which is
 * that of its options, is one of them. An error if no row names the file, or several files are meant;
 * `source` is for its message. */
bool annotation_print(const struct loading *loading, const struct loaded *loaded, const char *source,
                      const char *place, FILE *out, struct error *error);

#endif
