/* json_annotation.h - what `annotate --json` prints, one object:
 *
 *     file        path
 *     function    as it was asked for; null: all of the file
 *     lines       an array in the order of the file, of the lines that allocate, each an object:
 *         line          number
 *         live_bytes, peak_bytes, allocations, frees
 *         temporary_blocks, reallocs, waste_bytes: with details
 *         source        the text of the line; null where the file cannot be read here
 *     totals      the same numbers, the sums of the lines
 *     suppressed  as in json_view.h; of all files, and of what lives
 *
 * Of estimates, that is of a sampled process, also
 *     sampled_every_bytes      one block each so many bytes was traced, on average
 *     NAME_error               in lines, totals and suppressed: the standard error of NAME */
#ifndef HEAPTALLY_REPORT_JSON_ANNOTATION_H
#define HEAPTALLY_REPORT_JSON_ANNOTATION_H

#include "annotate.h"

void json_annotation_render(FILE *out, const struct annotation *annotation);

#endif
