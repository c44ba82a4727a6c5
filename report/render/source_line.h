/* source_line.h - the text of a line of a source file, as Python's linecache. */
#ifndef HEAPTALLY_REPORT_SOURCE_LINE_H
#define HEAPTALLY_REPORT_SOURCE_LINE_H

#include <stddef.h>
#include <stdint.h>

struct source_lines;

/* A cache of files, null when out of memory. */
struct source_lines *source_lines_new(void);
void source_lines_free(struct source_lines *self);

/* Returns line `line` (from 1) of a file without the white space around it, and its length; null when
 * the file cannot be read, has no such line, or the line is blank. Lives as long as `self`. A null `self`
 * knows no file. */
const char *source_lines_get(struct source_lines *self, const char *path, uint32_t line, size_t *length);

/* The same with the white space, and also where the line is blank; without the end of the line. */
const char *source_lines_whole(struct source_lines *self, const char *path, uint32_t line, size_t *length);

/* How many lines a file has; 0 if it cannot be read. */
uint32_t source_lines_count(struct source_lines *self, const char *path);

#endif
