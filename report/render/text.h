/* text.h - rows as tracemalloc prints them, for people and for line-oriented tools.
 *
 *     [ Top 10 ]
 *     /src/tree.c:41: size=8192 KiB, count=100000, average=84 B
 *         node = malloc(sizeof *node);
 *     3 other: 12.5 KiB
 *     Total allocated size: 8204.5 KiB
 *
 * What a row begins with, by key:
 *     lineno     FILE:LINE, or MODULE+0xOFFSET, or MODULE+0xOFFSET in FUNCTION
 *     filename   FILE:0, or the module's path and :0
 *     function   FUNCTION (FILE), or FUNCTION (MODULE), or MODULE+0xOFFSET
 *     module     the module's path
 *     traceback  its newest frame as lineno; the stack beneath, oldest frame first
 *     thread     thread ID
 *     domain     domain NAME, or domain NUMBER where it has no name
 *     size       average SMALLEST to LARGEST B
 *     freeing-thread  freed by thread ID
 *     kind       kind KIND
 *     scope      scope OUTER/INNER, or no scope
 *     tag        tag NAME, or no tag
 * Of several keys, in their order, with commas between.
 * Control characters in names are written as \xNN. Estimates are marked as estimate.h has it. */
#ifndef HEAPTALLY_REPORT_TEXT_H
#define HEAPTALLY_REPORT_TEXT_H

#include "view.h"

#include <stdio.h>

void text_render(FILE *out, const struct view *view);

#endif
