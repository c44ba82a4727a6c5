/* builds.h - the modules of several sources that are compared: which are one build, and which were rebuilt.
 *
 * Rows of two sources are one row if their frames are equal, so frames must say the same of the same place:
 *   - one build (equal build-ids) is called one name, wherever it lay; an offset says all;
 *   - two builds of one program, that is of one path or else one file name, are compared by function and
 * line. A line counts from where its function begins, so that functions may have moved;
 *   - where one of them has no lines, by function;
 *   - where one of them has no symbols, not at all: an offset in one build says nothing about another.
 * Frames are made to be those of the reference, the newest source.
 *
 *     builds_new -> builds_add for each source, the reference last -> builds_compare
 *                -> traces_use_builds for the traces of each, before any frame of them is asked for */
#ifndef HEAPTALLY_REPORT_BUILDS_H
#define HEAPTALLY_REPORT_BUILDS_H

#include "frames.h"
#include "../source/error.h"
#include "../source/tables.h"
#include "../symbols/symbols.h"

enum comparing {
    COMPARED_BY_BUILD,
    COMPARED_BY_LINE,
    COMPARED_BY_FUNCTION,
    COMPARED_NOT,
    COMPARED_BLINDLY, /* as one build, though without build-ids nothing says so */
};

#define BUILD_TEXT_BYTES (2 * HT_BUILD_ID_BYTES + 1)

/* A module of some source, without what the kernel adds to the path of a deleted file. */
struct build {
    const char *path;
    char id[BUILD_TEXT_BYTES]; /* build-id in hexadecimal; "": none */
    const struct build *as;    /* what it is compared with; of one of the reference: itself */
    enum comparing comparing;  /* of one of the reference: how the others are compared with it */
    const char *reason;        /* why it is not by line: what was missing; else null */
};

struct builds;

/* Borrows `symbols`. Null when out of memory. */
struct builds *builds_new(struct symbols *symbols);
void builds_free(struct builds *self);

/* Adds the modules that a source has code of in its stacks. */
bool builds_add(struct builds *self, const struct tables *tables, struct error *error);

/* Decides how the builds that were added are compared; `reference` was added last. */
bool builds_compare(struct builds *self, const struct tables *reference, struct error *error);

/* The build of a module of a source that was added; null: none was made. */
const struct build *builds_find(const struct builds *self, const struct tables *tables, uint32_t module);

/* Makes a frame of a build that of the reference. `first_line` is that of its function, 0: not known. */
void builds_adapt(const struct builds *self, const struct build *build, uint32_t first_line,
                  struct frame *frame);

/* Whether all sources are of one process: only then an address without a module says the same in all. */
bool builds_of_one_process(const struct builds *self);

/* All that were added, each once. */
size_t builds_count(const struct builds *self);
const struct build *builds_at(const struct builds *self, size_t index);

/* Writes a module's build-id in hexadecimal; "" for none. */
void build_text(const struct tables *tables, uint32_t module, char text[BUILD_TEXT_BYTES]);

#endif
