/* open.h - what the user names as SOURCE -> tables.
 *
 * SOURCE is a snapshot file, an image file, or a pid (digits alone; ./123 is a file). */
#ifndef HEAPTALLY_REPORT_OPEN_H
#define HEAPTALLY_REPORT_OPEN_H

#include "tables.h"

#include <limits.h>

enum source_kind { SOURCE_SNAPSHOT, SOURCE_RUNNING, SOURCE_DEAD };

struct source {
    struct tables *tables; /* owned */
    enum source_kind kind;
    char path[PATH_MAX + 128]; /* the file that was read */
    char note[256];            /* what the user should know, "" if nothing */
};

/* Opens and reads a source. On false, nothing is to be closed. */
bool source_open(struct source *self, const char *name, struct error *error);
void source_close(struct source *self);

/* Whether `name` is a pid. */
bool source_is_pid(const char *name, uint32_t *pid);

#endif
