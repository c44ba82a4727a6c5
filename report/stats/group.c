/* group.c - see group.h.
 * Owns:    nothing.
 * Holds:   two frames are in one group <=> group_of_frame gives one id.
 * Threads: one.  Signals: no.  Heap: yes (new frames). */
#include "group.h"

static struct frame module_of(const struct frame *frame) {
    return (struct frame){.module = frame->module};
}

/* A place without a line keeps its offset and its function; a line is its file and number, and the build
 * without which it would be another's. */
static struct frame line_of(const struct frame *frame) {
    if (frame->file == NULL)
        return *frame;
    return (struct frame){.file = frame->file, .line = frame->line, .build = frame->build};
}

static struct frame file_of(const struct frame *frame) {
    if (frame->file == NULL)
        return module_of(frame);
    return (struct frame){.file = frame->file};
}

/* Functions of one name in two files are two functions. */
static struct frame function_of(const struct frame *frame) {
    if (frame->function == NULL)
        return line_of(frame);
    return (struct frame){.function = frame->function,
                          .file = frame->file,
                          .module = frame->file == NULL ? frame->module : NULL};
}

frame_id group_of_frame(struct frames *frames, enum key key, frame_id id) {
    const struct frame *frame = frames_get(frames, id);
    struct frame group;
    switch (key) {
    case KEY_FILENAME: group = file_of(frame); break;
    case KEY_FUNCTION: group = function_of(frame); break;
    case KEY_MODULE: group = module_of(frame); break;
    default: group = line_of(frame); break;
    }
    return frames_put(frames, &group);
}

frame_id group_of_number(struct frames *frames, enum key key, uint64_t number) {
    struct frame group = {.module = key == KEY_THREAD   ? "[thread]"
                                    : key == KEY_DOMAIN ? "[domain]"
                                    : key == KEY_KIND   ? "[kind]"
                                                        : "[size]",
                          .offset = number};
    return frames_put(frames, &group);
}

frame_id group_of_name(struct frames *frames, enum key key, const char *name) {
    struct frame group = {.module = key == KEY_SCOPE ? "[scope]" : "[tag]", .function = name};
    return frames_put(frames, &group);
}
