/* suppressions.h - stacks that are known and wanted out of the way, in LeakSanitizer's syntax.
 *
 * A file has lines `leak:TEMPLATE`; empty lines and those that begin with # are none. A stack is suppressed
 * if in any of its frames the function, the file or the module contains a template: `*` in it stands for
 * anything, ^ at its start and $ at its end for the ends of the name, which alone are no template. What is
 * left out is counted, so that a report can say so, and by which line. */
#ifndef HEAPTALLY_REPORT_SUPPRESSIONS_H
#define HEAPTALLY_REPORT_SUPPRESSIONS_H

#include "traces.h"

struct suppressions;

/* Starts with none. Null when out of memory. */
struct suppressions *suppressions_new(void);
void suppressions_free(struct suppressions *self);

/* Adds those of a file, or of one line of such a file, without its newline. `origin` is where a line is from,
 * for reports; a line of one origin that is there already is not added. */
bool suppressions_read(struct suppressions *self, const char *path, struct error *error);
bool suppressions_add_line(struct suppressions *self, const char *line, const char *origin,
                           struct error *error);

struct suppression {
    const char *line; /* "leak:TEMPLATE" */
    const char *origin;
};

size_t suppressions_count(const struct suppressions *self);
struct suppression suppressions_at(const struct suppressions *self, size_t index);

#define SUPPRESSIONS_NONE SIZE_MAX

/* By which one a stack is suppressed; SUPPRESSIONS_NONE: by none. Always asked with traces of one `struct
 * frames`. False when out of memory. */
bool suppressions_cover(struct suppressions *self, struct traces *traces, size_t trace, size_t *by);

#endif
