/* save.h - tables -> a snapshot file with a name from a pattern, that replaces nothing. */
#ifndef HEAPTALLY_REPORT_SAVE_H
#define HEAPTALLY_REPORT_SAVE_H

#include "snapshot_write.h"

#include <limits.h>

struct save_options {
    const char *pattern;   /* see pattern.h */
    const char *directory; /* of relative patterns; null: the working directory */
    enum ht_trigger trigger;
    bool overwrite;
};

/* Writes the snapshot under the next number that is free, or with .1, .2 ... behind if the pattern has no
 * number. Writes its path to `path`. */
bool save_snapshot(const struct tables *tables, const struct save_options *options, char path[PATH_MAX],
                   struct error *error);

#endif
