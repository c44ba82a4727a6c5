/* frames.h - source-level frames, each held once: equal frames <=> equal id.
 *
 * A frame is one of
 *   - a line:   file is known; offset is 0;
 *   - a place:  file is null, has_offset: an address in a module without line information;
 *   - a name:   file is null, no offset: "[overflow]", "[no stack]", a module as a whole.
 * One `struct frames` serves all snapshots that are compared with each other. */
#ifndef HEAPTALLY_REPORT_FRAMES_H
#define HEAPTALLY_REPORT_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t frame_id;
#define FRAME_NONE UINT32_MAX /* out of memory */

struct frame {
    const char *file;     /* null: not known */
    const char *function; /* null: not known */
    const char *module;   /* the path of the ELF file; "[unknown]"; a name in brackets */
    const char *build;    /* of a place, and of a line that is not to be compared: the module's build-id in
                           * hexadecimal; else null */
    uint64_t offset;      /* ELF address, that of the call and not of its return */
    uint32_t line;        /* 0: not known */
    bool has_offset;
};

struct frames;

struct frames *frames_new(void);
void frames_free(struct frames *self);

/* Returns the id of a frame; its strings are copied at first sight. */
frame_id frames_put(struct frames *self, const struct frame *frame);

/* The frame of an id; lives as long as `self`. */
const struct frame *frames_get(const struct frames *self, frame_id id);
uint32_t frames_count(const struct frames *self);

/* Python's order of (filename, lineno); what a native frame has beyond these decides between equals. */
int frames_compare(const struct frames *self, frame_id a, frame_id b);

#endif
