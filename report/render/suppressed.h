/* suppressed.h - by which suppressions how much was left out, beneath the line that has the sum. */
#ifndef HEAPTALLY_REPORT_SUPPRESSED_H
#define HEAPTALLY_REPORT_SUPPRESSED_H

#include "json.h"
#include "view.h"

#include <stdio.h>

/* A line for each. */
void suppressed_put_lines(FILE *out, const struct view_suppressed *suppressed);

/* The member "suppressed" of an object; with errors if `estimate`. */
void suppressed_put_json(struct json *json, const struct view_suppressed *suppressed, bool estimate);

#endif
