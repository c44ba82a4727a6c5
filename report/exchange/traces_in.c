/* traces_in.c - see traces_in.h.
 * Owns:    the tables, and five indexes of them.
 * Holds:   an index's entry i is record i + 1 of its region; of stacks, i + HT_STACK_FIRST. The sizes of all
 *          blocks have a sum that is a size, so that those of any of them have.
 * Threads: one.  Signals: no.  Heap: yes. */
#define _GNU_SOURCE
#include "traces_in.h"
#include "../stats/interner.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct traces_in {
    struct tables *tables;
    uint64_t room[HT_REGIONS]; /* records that fit */
    uint64_t bytes;            /* of all blocks */
    struct interner *files, *lines, *domains, *stacks, *cells;
    uint32_t *key; /* of the stack being added: context, depth, PCs oldest first */
    size_t key_room;
};

struct line_key {
    uint32_t module, line;
};

struct cell_key {
    uint64_t size, stack;
};

/* ---- records ---- */

static bool make_room(struct traces_in *self, enum ht_region_id id, size_t count) {
    struct records *records = &self->tables->region[id];
    size_t bytes = tables_record_bytes(id);
    if (records->count + count <= self->room[id])
        return true;
    uint64_t room = 2 * (records->count + count) + 64;
    void *more = realloc(records->at, room * bytes + 1);
    if (more == NULL)
        return false;
    memset((char *)more + records->count * bytes, 0, (room - records->count) * bytes + 1);
    records->at = more;
    self->room[id] = room;
    return true;
}

/* Appends records; their first one's index, or 0 when out of memory or of indexes. */
static uint32_t append(struct traces_in *self, enum ht_region_id id, const void *from, size_t count) {
    struct records *records = &self->tables->region[id];
    size_t bytes = tables_record_bytes(id);
    if (count >= HT_FRAME_PC - records->count || !make_room(self, id, count))
        return 0;
    memcpy((char *)records->at + records->count * bytes, from, count * bytes);
    records->count += (uint32_t)count;
    return records->count - (uint32_t)count;
}

/* ---- the parts of a trace ---- */

static uint32_t put_file(struct traces_in *self, const char *file) {
    struct ht_module module = {.end = UINT32_MAX, .valid = 1};
    bool fresh;
    uint32_t id = interner_put(self->files, file, strlen(file), &fresh);
    if (id == INTERNER_NONE || !fresh)
        return id + 1;
    char *path;
    int length = asprintf(&path, TABLES_SOURCE_PREFIX "%s", file);
    if (length < 0)
        return 0;
    module.path = append(self, HT_REGION_STRINGS, path, (size_t)length + 1);
    free(path);
    return module.path != 0 ? append(self, HT_REGION_MODULES, &module, 1) : 0;
}

static uint32_t put_line(struct traces_in *self, const struct trace_frame *frame) {
    struct line_key key = {put_file(self, frame->file), frame->line};
    struct ht_pc pc = {.pc = frame->line, .module = key.module};
    bool fresh;
    if (key.module == 0)
        return 0;
    uint32_t id = interner_put(self->lines, &key, sizeof key, &fresh);
    return id == INTERNER_NONE || !fresh ? id + 1 : append(self, HT_REGION_PCS, &pc, 1);
}

/* The context of a domain; 0 is the heap's. False when out of memory or of contexts. */
static bool put_domain(struct traces_in *self, uint32_t domain, uint32_t *context) {
    const struct ht_context record = {.valid = 1, .domain = domain};
    bool fresh;
    *context = 0;
    if (domain == HT_DOMAIN_HEAP)
        return true;
    uint32_t id = interner_put(self->domains, &domain, sizeof domain, &fresh);
    if (id == INTERNER_NONE || id + 1 >= HT_CONTEXTS_MAX)
        return false;
    *context = fresh ? append(self, HT_REGION_CONTEXTS, &record, 1) : id + 1;
    return *context != 0;
}

static bool make_key(struct traces_in *self, const struct trace_line *trace) {
    if (trace->frame_count + 2 > self->key_room) {
        free(self->key);
        self->key_room = 2 * trace->frame_count + 64;
        self->key = malloc(self->key_room * sizeof *self->key);
        if (self->key == NULL)
            self->key_room = 0;
    }
    if (self->key == NULL || !put_domain(self, trace->domain, &self->key[0]))
        return false;
    self->key[1] = trace->total_nframe;
    for (size_t i = 0; i < trace->frame_count; i++) {
        uint32_t pc = put_line(self, &trace->frames[trace->frame_count - 1 - i]);
        if (pc == 0)
            return false;
        self->key[2 + i] = pc | HT_FRAME_EXACT;
    }
    return true;
}

/* The hash need not be the one that the library computes with a secret key of each process: a number of its
 * own says as well that a stack is another one. */
static uint32_t put_stack(struct traces_in *self, const struct trace_line *trace) {
    bool fresh;
    if (!make_key(self, trace))
        return 0;
    uint32_t id = interner_put(self->stacks, self->key, (trace->frame_count + 2) * sizeof *self->key, &fresh);
    if (id == INTERNER_NONE)
        return 0;
    if (!fresh)
        return id + HT_STACK_FIRST;
    struct ht_stack stack = {.hash_lo = (uint64_t)id + HT_STACK_FIRST,
                             .frame_count = (uint16_t)trace->frame_count,
                             .depth = trace->total_nframe,
                             .context = (uint16_t)self->key[0]};
    stack.first_frame = append(self, HT_REGION_FRAMES, self->key + 2, trace->frame_count);
    if (trace->frame_count > self->tables->header.nframe)
        self->tables->header.nframe = (uint32_t)trace->frame_count;
    return stack.first_frame != 0 ? append(self, HT_REGION_STACKS, &stack, 1) : 0;
}

static struct ht_cell *put_cell(struct traces_in *self, uint32_t stack, uint64_t size) {
    struct cell_key key = {size, stack};
    struct ht_cell cell = {.stack = stack, .peak_sequence = UINT32_MAX};
    bool fresh;
    uint32_t id = interner_put(self->cells, &key, sizeof key, &fresh);
    if (id == INTERNER_NONE || (fresh && append(self, HT_REGION_CELLS, &cell, 1) == 0))
        return NULL;
    return (struct ht_cell *)self->tables->region[HT_REGION_CELLS].at + id + 1;
}

bool traces_in_add(struct traces_in *self, const struct trace_line *trace, struct error *error) {
    if (trace->size > INT64_MAX - self->bytes)
        return error_set(error, "with this one the sizes of all blocks add up to more than %" PRId64 " bytes",
                         INT64_MAX);
    uint32_t stack = put_stack(self, trace);
    struct ht_cell *cell = stack != 0 ? put_cell(self, stack, trace->size) : NULL;
    if (cell == NULL && interner_count(self->domains) >= HT_CONTEXTS_MAX)
        return error_set(error, "a snapshot holds at most %u domains beside the heap", HT_CONTEXTS_MAX - 1);
    if (cell == NULL)
        return error_out_of_memory(error);
    cell->allocations++;
    cell->allocated_bytes += trace->size;
    self->bytes += trace->size;
    return true;
}

/* ---- lines ---- */

static bool add_line(struct traces_in *self, struct trace_line *trace, char *text, size_t length,
                     const char *name, uint64_t number, struct error *error) {
    struct error why = {""};
    if (length != 0 && text[length - 1] == '\n')
        text[--length] = '\0';
    if (strlen(text) != length)
        return error_set(error, "%s: line %" PRIu64 ": column %zu: a NUL byte: this is no text", name, number,
                         strlen(text) + 1);
    if (trace_line_is_empty(text) ||
        (trace_line_parse(trace, text, &why) && traces_in_add(self, trace, &why)))
        return true;
    return error_set(error, "%s: line %" PRIu64 ": %s (a line is DOMAIN SIZE TOTAL_NFRAME FILE:LINE;...)",
                     name, number, why.text);
}

bool traces_in_read(struct traces_in *self, FILE *in, const char *name, struct error *error) {
    struct trace_line trace = {0};
    char *text = NULL;
    size_t room = 0;
    ssize_t length;
    bool good = true;
    for (uint64_t number = 1; good && (length = getline(&text, &room, in)) >= 0; number++)
        good = add_line(self, &trace, text, (size_t)length, name, number, error);
    if (good && !feof(in)) /* a failed read, or a line for which there is no memory */
        good = error_set(error, "%s: %s", name, strerror(errno));
    trace_line_free(&trace);
    free(text);
    return good;
}

/* ---- the whole ---- */

static void fill_header(struct ht_header *header, const char *name) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    memcpy(header->magic, HT_MAGIC, sizeof header->magic);
    header->version = HT_VERSION;
    header->header_bytes = HT_HEADER_BYTES;
    header->byte_order = HT_BYTE_ORDER;
    header->kind = HT_KIND_SNAPSHOT;
    header->state = HT_STATE_EXITED;
    header->pointer_bytes = sizeof(void *);
    header->nframe = 1;
    header->created_realtime_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    snprintf(header->program, sizeof header->program, "%s", name);
    snprintf(header->unwinder, sizeof header->unwinder, "import");
}

/* Record 0 of each region, and the stacks that stand for a reason. */
static bool fill_first_records(struct traces_in *self) {
    for (int i = 0; i < HT_REGIONS; i++) {
        size_t count = i == HT_REGION_STACKS ? HT_STACK_FIRST : 1;
        if (!make_room(self, (enum ht_region_id)i, count))
            return false;
        self->tables->region[i].count = (uint32_t)count;
    }
    return true;
}

struct traces_in *traces_in_new(const char *name) {
    struct traces_in *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->tables = tables_new();
    self->files = interner_new();
    self->lines = interner_new();
    self->domains = interner_new();
    self->stacks = interner_new();
    self->cells = interner_new();
    if (self->tables != NULL && self->files != NULL && self->lines != NULL && self->domains != NULL &&
        self->stacks != NULL && self->cells != NULL && fill_first_records(self)) {
        fill_header(&self->tables->header, name);
        return self;
    }
    traces_in_free(self);
    return NULL;
}

void traces_in_free(struct traces_in *self) {
    if (self == NULL)
        return;
    tables_free(self->tables);
    interner_free(self->files);
    interner_free(self->lines);
    interner_free(self->domains);
    interner_free(self->stacks);
    interner_free(self->cells);
    free(self->key);
    free(self);
}

const struct tables *traces_in_tables(const struct traces_in *self) {
    return self->tables;
}
