/* rebuilt.h - what the user is told about modules that were rebuilt between two sources. */
#ifndef HEAPTALLY_REPORT_REBUILT_H
#define HEAPTALLY_REPORT_REBUILT_H

#include "../render/view.h"
#include "../stats/builds.h"

#include <stdio.h>

/* A line for each. */
void rebuilt_warn(const struct builds *builds, const char *command, FILE *out);

/* The same for a renderer. Returns an array to be freed, which borrows from `builds`; null when there is
 * nothing, with *count 0, or when out of memory. */
struct view_rebuilt *rebuilt_view(const struct builds *builds, size_t *count);

#endif
