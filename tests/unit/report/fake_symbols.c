/* fake_symbols.c - see fake_symbols.h.
 * Owns:    the table.
 * Threads: one.  Signals: no.  Heap: yes. */
#include "fake_symbols.h"

#include <stdlib.h>
#include <string.h>

static struct {
    uint64_t vaddr;
    const struct symbols_frame *frames;
    size_t count;
} known[64];
static struct {
    uint64_t vaddr;
    const char *callee;
} calls[16];
static size_t known_count, call_count, asked;
static enum symbols_quality known_quality;

void fake_symbols_add(uint64_t vaddr, const struct symbols_frame *frames, size_t count) {
    known[known_count].vaddr = vaddr;
    known[known_count].frames = frames;
    known[known_count++].count = count;
}

void fake_symbols_add_call(uint64_t vaddr, const char *callee) {
    calls[call_count].vaddr = vaddr;
    calls[call_count++].callee = callee;
}

void fake_symbols_forget(void) {
    known_count = call_count = asked = 0;
    known_quality = SYMBOLS_NONE;
}

void fake_symbols_set_quality(enum symbols_quality quality) {
    known_quality = quality;
}

size_t fake_symbols_asked(void) {
    return asked;
}

struct symbols *symbols_new(const struct symbols_options *options) {
    (void)options;
    return malloc(1);
}

void symbols_free(struct symbols *self) {
    free(self);
}

size_t symbols_add_module(struct symbols *self, const struct symbols_module *module) {
    (void)self;
    (void)module;
    return 0;
}

size_t symbols_resolve(struct symbols *self, size_t module, uint64_t vaddr, struct symbols_frame *frames,
                       size_t capacity) {
    (void)self;
    (void)module;
    asked++;
    for (size_t i = 0; i < known_count; i++)
        if (known[i].vaddr == vaddr && known[i].count <= capacity) {
            memcpy(frames, known[i].frames, known[i].count * sizeof *frames);
            return known[i].count;
        }
    return 0;
}

const char *symbols_callee(struct symbols *self, size_t module, uint64_t vaddr) {
    (void)self;
    (void)module;
    for (size_t i = 0; i < call_count; i++)
        if (calls[i].vaddr + 1 == vaddr)
            return calls[i].callee;
    return NULL;
}

const char *symbols_suppression(struct symbols *self, size_t module, size_t index) {
    (void)self;
    (void)module;
    (void)index;
    return NULL;
}

struct symbols_status symbols_status(struct symbols *self, size_t module) {
    (void)self;
    (void)module;
    return (struct symbols_status){known_quality, "a fake"};
}
