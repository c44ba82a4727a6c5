/* json_view.h - the rows of `top --json` and `diff --json`, one object:
 *
 *     key          "lineno", "filename" and so on, as -k takes them
 *     metric       "live", "peak" and so on, as --metric takes them: what size and count are of
 *     cumulative   true or false
 *     totals       of the whole process, in bytes and blocks:
 *                  live_bytes live_blocks peak_bytes peak_blocks allocated_bytes allocations frees
 *     old_totals   diff only: the same of OLD; totals are those of NEW
 *     losses       an object: name -> number; all 0 when nothing was lost; `heaptally info` explains each
 *     rebuilt      diff and growth only: an array of the modules of which OLD and NEW have different builds,
 *                  each {module, build_id, old_module, old_build_id, compared_by, reason}: compared_by is
 *                  "function and line"; "function" where one has no lines; "offset" where there are no
 *                  build-ids; null where one has no symbols; reason says what was missing, or is null
 *     rows         an array, largest first; each an object:
 *                  file       path, null when not known
 *                  line       number, null when not known and for keys without lines
 *                  function   demangled, null when not known
 *                  module     path of the ELF file, or a name in brackets: "[unknown]", "[overflow]",
 *                             "[no stack]"
 *                  offset     address in the module as the file counts, null unless the line is not known
 *                  build_id   of the module that the offset is in, hexadecimal; null without one
 *                  thread freeing_thread domain domain_name size_class kind scope tag
 *                             with these keys alone (domain_name with domain, where it has one); scope is
 *                             OUTER/INNER, and scope and tag are null for blocks of none
 *                  size       bytes
 *                  count      blocks
 *                  average    size / count, null when count is 0
 *                  size_diff, count_diff   diff only: NEW - OLD; size, count, average are those of NEW
 *                  traceback  an array of frames, newest first, each {file, line, function, module, offset,
 *                             build_id}: the whole stack for the key traceback, else one frame
 *     other        {rows, size}: how many rows are not shown, and the sum of their sizes
 *     suppressed   {size, count, by}: what suppressions left out; by is an array of those that did, each
 *                  {suppression, origin, size, count}: the line, and the file or module that it is from
 *
 * Of a process that was traced with details, in top also
 *     temporary_below   HEAPTALLY_TEMPORARY
 *     details      in each row, and of all of them: temporary_blocks temporary_bytes reallocs realloc_bytes
 *                  moves moved_bytes grown_in_place shrunk_in_place waste_bytes peak_waste_bytes
 *     histogram    with --histogram, of all rows, with --each in each row too: see histogram.h
 *
 * Of estimates, that is of a sampled process, also
 *     sampled_every_bytes      one block each so many bytes was traced, on average; not there: all are exact
 *     old_sampled_every_bytes  diff only: the same of OLD; 0: exact
 *     NAME_error               in totals, old_totals, rows, other and suppressed: the standard error of NAME;
 *                              of size_diff and count_diff, which growth has none of, it is an upper bound
 *
 * For the key lineno, function and module are those of one of the row's blocks; for filename, module is. */
#ifndef HEAPTALLY_REPORT_JSON_VIEW_H
#define HEAPTALLY_REPORT_JSON_VIEW_H

#include "json.h"
#include "view.h"

void json_view_render(FILE *out, const struct view *view);

/* Parts that other documents have too. */
void json_view_totals(struct json *json, const char *name, const struct view_totals *totals);
void json_view_details(struct json *json, const struct view_details *details);
void json_view_losses(struct json *json, const struct view_loss *losses, size_t count);

#endif
