/* tables.h - the records of one image or snapshot, copied into memory of our own and checked.
 *
 * Whatever the file said, after tables_check() every index that can be reached from a cell is in range:
 * cell -> stack -> base stacks, context and frames -> PCs -> modules -> strings. Nothing else may be
 * followed. */
#ifndef HEAPTALLY_REPORT_TABLES_H
#define HEAPTALLY_REPORT_TABLES_H

#include "error.h"
#include "heaptally_format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct records {
    void *at;       /* owned; null when count is 0 (STRINGS: never null, one more NUL behind the end) */
    uint32_t count; /* whole records */
};

struct tables {
    struct ht_header header; /* every string in it ends in NUL */
    struct records region[HT_REGIONS];
    struct records cells_later; /* of a running process: CELLS, read a second time after everything else */
    bool running;               /* read from a process that was alive */
};

/* Returns empty tables, or null when out of memory. */
struct tables *tables_new(void);
void tables_free(struct tables *self);

/* Makes room for `bytes` bytes of records in region `id`; the caller fills them. */
bool tables_reserve(struct records *self, enum ht_region_id id, uint64_t bytes, struct error *error);

/* The size of a record of this version of the format. */
uint32_t tables_record_bytes(enum ht_region_id id);
const char *tables_region_name(enum ht_region_id id);

/* Verifies what a header says of itself, for a file of `file_bytes` bytes: magic, version, byte order,
 * regions inside the file. `name` is for messages. Terminates the strings. */
bool tables_check_header(struct ht_header *header, uint64_t file_bytes, const char *name,
                         struct error *error);

/* Copies and verifies the header at the start of `bytes`; the file must be of this kind. */
bool tables_take_header(struct tables *self, enum ht_kind kind, const void *bytes, size_t size_bytes,
                        const char *name, struct error *error);

/* Verifies all that cells reach. */
bool tables_check(const struct tables *self, const char *name, struct error *error);

static inline const struct ht_cell *tables_cells(const struct tables *self) {
    return self->region[HT_REGION_CELLS].at;
}

static inline const struct ht_stack *tables_stack(const struct tables *self, uint32_t id) {
    return (const struct ht_stack *)self->region[HT_REGION_STACKS].at + id;
}

static inline const struct ht_pc *tables_pc(const struct tables *self, uint32_t id) {
    return (const struct ht_pc *)self->region[HT_REGION_PCS].at + id;
}

static inline const struct ht_module *tables_module(const struct tables *self, uint32_t id) {
    return (const struct ht_module *)self->region[HT_REGION_MODULES].at + id;
}

static inline const struct ht_slot *tables_slots(const struct tables *self) {
    return self->region[HT_REGION_SLOTS].at;
}

/* How many records of CONTEXTS there may be: the index in a stack ends there, whatever a file has. */
static inline uint32_t tables_context_count(const struct tables *self) {
    uint32_t count = self->region[HT_REGION_CONTEXTS].count;
    return count < HT_CONTEXTS_MAX ? count : HT_CONTEXTS_MAX;
}

/* What a context says; strings are never null, shorter than HT_SCOPE_BYTES, and empty for what it does not
 * say. Context 0, and one that is out of range, is the heap's. */
struct tables_context {
    uint32_t domain;
    const char *domain_name, *scope, *tag;
};
struct tables_context tables_context(const struct tables *self, uint32_t id);

/* The path of a module; "" when its string is out of range. */
const char *tables_module_path(const struct tables *self, uint32_t id);

/* An imported trace has lines, and no addresses that could be looked up. Each of its source files is a module
 * whose path is this prefix and the file's name as it was given, which no ELF file's path can be: those are
 * absolute or in brackets. A PC of such a module is a line number; its frames are HT_FRAME_EXACT. */
#define TABLES_SOURCE_PREFIX "source:"

/* The source file that module `id` stands for; null if it is an ELF file. */
const char *tables_source_file(const struct tables *self, uint32_t id);

/* What a module is called: its path; "[source]" for a source file; "[unknown]" for module 0. */
const char *tables_module_name(const struct tables *self, uint32_t id);

/* Writes the frames of a checked stack, outermost first, to frames[0 .. frame_count): entries of FRAMES
 * (HT_FRAME_PC, HT_FRAME_EXACT). Returns frame_count, at most HT_NFRAME_MAX. */
size_t tables_frames(const struct tables *self, uint32_t stack, uint32_t *frames);

/* Sums one field over all slots. */
struct tables_slot_sums {
    uint64_t threads, unmatched_frees, lost_frees, deferred;
};
struct tables_slot_sums tables_sum_slots(const struct tables *self);

/* Allocations whose stack was deeper than what is kept of it. */
uint64_t tables_truncated(const struct tables *self);

#endif
