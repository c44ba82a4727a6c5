/* frames.c - see frames.h.
 * Owns:    frames and strings.
 * Holds:   strings are interned first, so that frames can be compared as bytes.
 * Threads: one.  Signals: no.  Heap: yes. */
#include "frames.h"
#include "interner.h"

#include <stdlib.h>
#include <string.h>

struct frames {
    struct interner *strings, *frames;
};

struct frames *frames_new(void) {
    struct frames *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->strings = interner_new();
    self->frames = interner_new();
    if (self->strings != NULL && self->frames != NULL)
        return self;
    frames_free(self);
    return NULL;
}

void frames_free(struct frames *self) {
    if (self == NULL)
        return;
    interner_free(self->strings);
    interner_free(self->frames);
    free(self);
}

static bool intern(struct frames *self, const char **string) {
    if (*string == NULL)
        return true;
    uint32_t id = interner_put(self->strings, *string, strlen(*string), NULL);
    if (id == INTERNER_NONE)
        return false;
    *string = interner_get(self->strings, id, NULL);
    return true;
}

frame_id frames_put(struct frames *self, const struct frame *frame) {
    struct frame copy;
    memset(&copy, 0, sizeof copy); /* the padding is compared too */
    copy.file = frame->file;
    copy.function = frame->function;
    copy.module = frame->module;
    copy.build = frame->build;
    copy.offset = frame->offset;
    copy.line = frame->line;
    copy.has_offset = frame->has_offset;
    if (!intern(self, &copy.file) || !intern(self, &copy.function) || !intern(self, &copy.module) ||
        !intern(self, &copy.build))
        return FRAME_NONE;
    return interner_put(self->frames, &copy, sizeof copy, NULL);
}

const struct frame *frames_get(const struct frames *self, frame_id id) {
    return interner_get(self->frames, id, NULL);
}

uint32_t frames_count(const struct frames *self) {
    return interner_count(self->frames);
}

static int compare_strings(const char *a, const char *b) {
    if (a == b)
        return 0;
    return strcmp(a != NULL ? a : "", b != NULL ? b : "");
}

static int compare_numbers(uint64_t a, uint64_t b) {
    return a < b ? -1 : a > b;
}

int frames_compare(const struct frames *self, frame_id a, frame_id b) {
    if (a == b)
        return 0;
    const struct frame *x = frames_get(self, a), *y = frames_get(self, b);
    int order = compare_strings(x->file != NULL ? x->file : x->module, y->file != NULL ? y->file : y->module);
    if (order == 0)
        order = compare_numbers(x->line, y->line);
    if (order == 0)
        order = compare_numbers(x->offset, y->offset);
    if (order == 0)
        order = compare_strings(x->function, y->function);
    if (order == 0)
        order = compare_strings(x->module, y->module);
    return order != 0 ? order : compare_strings(x->build, y->build);
}
