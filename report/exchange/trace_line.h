/* trace_line.h - one trace as a line of text, to bring heaps from elsewhere and to take them there.
 *
 *     DOMAIN SIZE TOTAL_NFRAME FILE:LINE;FILE:LINE;...
 *
 * A line is one block: its domain, its bytes, how deep its stack was, and the frames that were kept of it,
 * the newest first. In a FILE the bytes `;`, `:`, `\`, space and control characters are written \xNN, NN
 * being two hexadecimal digits; every other byte stands for itself. Empty lines, and those that begin with #,
 * are none. */
#ifndef HEAPTALLY_REPORT_TRACE_LINE_H
#define HEAPTALLY_REPORT_TRACE_LINE_H

#include "../source/error.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct trace_frame {
    const char *file;
    uint32_t line;
};

struct trace_line {
    uint32_t domain;
    uint16_t total_nframe;
    uint64_t size;
    struct trace_frame *frames; /* newest first; owned */
    size_t frame_count, frame_room;
};

/* Parses a line without its newline, and rewrites it: the files of `self` are in it. `self` is used again for
 * the next line, zero before the first. False with what is wrong at which column. */
bool trace_line_parse(struct trace_line *self, char *text, struct error *error);
void trace_line_free(struct trace_line *self);

/* Whether a line holds no trace. */
bool trace_line_is_empty(const char *text);

/* Writes the name of a file as above. */
void trace_line_put_file(FILE *out, const char *file);

#endif
