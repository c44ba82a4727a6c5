/* make_snapshot.c - see make_snapshot.h.
 * Owns:    nothing.
 * Threads: one.  Signals: no.  Heap: yes. */
#define _GNU_SOURCE
#include "make_snapshot.h"
#include "source/snapshot_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

static uint32_t append(struct tables *tables, enum ht_region_id id, const void *record, uint32_t count) {
    struct records *records = &tables->region[id];
    size_t bytes = tables_record_bytes(id);
    void *more = realloc(records->at, (records->count + count) * bytes + 1);
    if (more == NULL)
        abort();
    records->at = more;
    memcpy((char *)more + records->count * bytes, record, count * bytes);
    records->count += count;
    ((char *)more)[records->count * bytes] = '\0';
    tables->header.regions[id].used_records = records->count;
    return records->count - count;
}

struct tables *make_tables(void) {
    static const struct ht_mismatch zero; /* the largest of all records */
    struct tables *tables = tables_new();
    if (tables == NULL)
        abort();
    struct ht_header *header = &tables->header;
    memcpy(header->magic, HT_MAGIC, sizeof header->magic);
    header->version = HT_VERSION;
    header->header_bytes = HT_HEADER_BYTES;
    header->byte_order = HT_BYTE_ORDER;
    header->kind = HT_KIND_SNAPSHOT;
    header->pointer_bytes = sizeof(void *);
    header->machine = 62;
    header->pid = 4242;
    header->nframe = 128;
    snprintf(header->program, sizeof header->program, "made");
    snprintf(header->executable, sizeof header->executable, "/usr/bin/made");
    for (int i = 0; i < HT_REGIONS; i++) {
        header->regions[i].record_bytes = tables_record_bytes((enum ht_region_id)i);
        append(tables, (enum ht_region_id)i, &zero, 1);
    }
    uint32_t none[2] = {0, 0};
    make_stack(tables, 0, 0, none, 0); /* HT_STACK_OVERFLOW */
    make_stack(tables, 0, 0, none, 0); /* HT_STACK_UNATTRIBUTED */
    return tables;
}

uint32_t make_module(struct tables *tables, const char *path, uint64_t load_bias) {
    struct ht_module module = {
        .load_bias = load_bias, .start = load_bias, .end = load_bias + 0x10000, .valid = 1};
    module.path = append(tables, HT_REGION_STRINGS, path, (uint32_t)strlen(path) + 1);
    return append(tables, HT_REGION_MODULES, &module, 1);
}

uint32_t make_pc(struct tables *tables, uint64_t pc, uint32_t module) {
    struct ht_pc record = {.pc = pc, .module = module};
    return append(tables, HT_REGION_PCS, &record, 1);
}

uint32_t make_stack(struct tables *tables, uint32_t base, uint16_t kept, const uint32_t *pcs,
                    uint16_t count) {
    struct ht_stack stack = {.base = base, .kept = kept, .depth = (uint16_t)(kept + count)};
    stack.frame_count = stack.depth;
    stack.first_frame = append(tables, HT_REGION_FRAMES, pcs, count);
    stack.hash_lo = stack.hash_hi = tables->region[HT_REGION_STACKS].count + 1000u;
    return append(tables, HT_REGION_STACKS, &stack, 1);
}

uint32_t make_cell(struct tables *tables, uint32_t stack, uint64_t allocations, uint64_t size,
                   uint64_t frees) {
    struct ht_cell cell = {.allocations = allocations,
                           .allocated_bytes = allocations * size,
                           .frees = frees,
                           .freed_bytes = frees * size,
                           .peak_sequence = UINT32_MAX,
                           .stack = stack};
    return append(tables, HT_REGION_CELLS, &cell, 1);
}

uint32_t make_slot(struct tables *tables, uint32_t tid) {
    struct ht_slot slot = {.tid = tid, .threads = 1};
    return append(tables, HT_REGION_SLOTS, &slot, 1);
}

void make_samples(struct tables *tables, uint64_t sample_bytes) {
    tables->header.sample_bytes = sample_bytes;
    while (tables->region[HT_REGION_SAMPLES].count < tables->region[HT_REGION_CELLS].count) {
        const struct ht_cell *cell = made_cell(tables, tables->region[HT_REGION_SAMPLES].count);
        double allocations = (double)cell->allocations, frees = (double)cell->frees;
        struct ht_sample sample = {.allocated_bytes_variance = 100 * allocations,
                                   .freed_bytes_variance = 100 * frees,
                                   .allocated_blocks_variance = allocations,
                                   .freed_blocks_variance = frees,
                                   .allocations = cell->allocations,
                                   .frees = cell->frees};
        append(tables, HT_REGION_SAMPLES, &sample, 1);
    }
}

struct ht_sample *made_sample(struct tables *tables, uint32_t cell) {
    return (struct ht_sample *)tables->region[HT_REGION_SAMPLES].at + cell;
}

uint32_t make_context(struct tables *tables, uint32_t domain) {
    const struct ht_context context = {.valid = 1, .domain = domain};
    return append(tables, HT_REGION_CONTEXTS, &context, 1);
}

static uint64_t make_name(struct tables *tables, const char *name) {
    return name[0] != '\0' ? append(tables, HT_REGION_STRINGS, name, (uint32_t)strlen(name) + 1) : 0;
}

uint32_t make_scope(struct tables *tables, const char *scope, const char *tag) {
    const struct ht_context context = {
        .valid = 1, .scope = make_name(tables, scope), .tag = make_name(tables, tag)};
    return append(tables, HT_REGION_CONTEXTS, &context, 1);
}

void make_contexts(struct tables *tables, uint32_t count) {
    struct records *contexts = &tables->region[HT_REGION_CONTEXTS];
    if (!tables_reserve(contexts, HT_REGION_CONTEXTS, count * sizeof(struct ht_context), NULL))
        abort();
    memset(contexts->at, 0, count * sizeof(struct ht_context));
    tables->header.regions[HT_REGION_CONTEXTS].used_records = count;
}

struct ht_context *made_context(struct tables *tables, uint32_t context) {
    return (struct ht_context *)tables->region[HT_REGION_CONTEXTS].at + context;
}

void make_details(struct tables *tables, uint64_t temporary_below) {
    static const struct ht_detail zero;
    tables->header.temporary_below = temporary_below;
    while (tables->region[HT_REGION_DETAILS].count < tables->region[HT_REGION_CELLS].count)
        append(tables, HT_REGION_DETAILS, &zero, 1);
}

struct ht_detail *made_detail(struct tables *tables, uint32_t cell) {
    return (struct ht_detail *)tables->region[HT_REGION_DETAILS].at + cell;
}

void make_detail_figures(struct tables *tables) {
    for (uint32_t i = 1; i < tables->region[HT_REGION_DETAILS].count; i++) {
        const struct ht_cell *cell = made_cell(tables, i);
        struct ht_detail *detail = made_detail(tables, i);
        uint32_t live = (uint32_t)(cell->allocations - cell->frees);
        detail->temporaries = cell->frees / 2;
        detail->temporary_bytes = cell->freed_bytes / 2;
        detail->reallocs = cell->allocations;
        detail->realloc_bytes = cell->allocated_bytes;
        detail->moves = cell->allocations / 2;
        detail->moved_bytes = cell->allocated_bytes / 2;
        detail->grown_in_place = i;
        detail->shrunk_in_place = 1;
        detail->allocated_waste_bytes = 8 * cell->allocations;
        detail->freed_waste_bytes = 8 * cell->frees;
        detail->peak_waste_bytes = 8 * (int64_t)live;
        detail->last_ns = 1000000000u * i;
        detail->age_shift = 20 + i;
        detail->sizes[i] = cell->allocations;
        detail->live_sizes[i] = live;
        detail->lifetimes_allocations[i % HT_DETAIL_LATER] = cell->frees;
        detail->lifetimes_ns[HT_DETAIL_TIMES - i] = cell->frees;
        detail->birth_blocks[i] = live;
        detail->birth_bytes[i] = (int64_t)(cell->allocated_bytes - cell->freed_bytes);
    }
}

uint32_t make_mismatch(struct tables *tables, uint32_t count, uint32_t differs_at) {
    struct ht_mismatch mismatch = {
        .valid = 1, .differs_at = differs_at, .frame_count = count, .reference_count = count + 1};
    for (uint32_t i = 0; i < HT_MISMATCH_FRAMES; i++) {
        mismatch.frames[i] = 0x401000 + 16 * i;
        mismatch.reference[i] = mismatch.frames[i] + (i >= differs_at);
    }
    return append(tables, HT_REGION_MISMATCHES, &mismatch, 1);
}

struct ht_cell *made_cell(struct tables *tables, uint32_t cell) {
    return (struct ht_cell *)tables->region[HT_REGION_CELLS].at + cell;
}

struct ht_stack *made_stack(struct tables *tables, uint32_t stack) {
    return (struct ht_stack *)tables->region[HT_REGION_STACKS].at + stack;
}

/* Room of a region in an image: not whole pages, so that an image of a few records is small. */
static size_t room_of(const struct tables *tables, int id) {
    size_t bytes = (size_t)tables->region[id].count * tables_record_bytes((enum ht_region_id)id);
    return (bytes + 63) / 64 * 64;
}

void *make_image(const struct tables *tables, size_t *size_bytes) {
    uint64_t at = HT_HEADER_BYTES;
    *size_bytes = HT_HEADER_BYTES;
    for (int i = 0; i < HT_REGIONS; i++)
        *size_bytes += room_of(tables, i);
    char *bytes = aligned_alloc(64, *size_bytes);
    if (bytes == NULL)
        abort();
    memset(bytes, 0, *size_bytes);
    struct ht_header *header = (void *)bytes;
    memcpy(header, &tables->header, sizeof *header);
    header->kind = HT_KIND_IMAGE;
    for (int i = 0; i < HT_REGIONS; i++) {
        struct ht_region *region = &header->regions[i];
        region->offset = at;
        region->capacity_bytes = region->committed_bytes = room_of(tables, i);
        memcpy(bytes + at, tables->region[i].at, (size_t)tables->region[i].count * region->record_bytes);
        at += region->capacity_bytes;
    }
    return bytes;
}

void *make_snapshot(const struct tables *tables, bool compress, size_t *size_bytes) {
    char path[] = "/tmp/heaptally-test-XXXXXX";
    struct snapshot_options options = {
        .trigger = HT_TRIGGER_OUTSIDE, .number = 1, .compress = compress, .overwrite = true};
    struct error error;
    int fd = mkstemp(path);
    if (fd < 0 || !snapshot_write(tables, path, &options, NULL, &error))
        abort();
    close(fd);
    FILE *file = fopen(path, "rbe");
    unlink(path);
    if (file == NULL)
        abort();
    char *bytes = aligned_alloc(64, 1 << 20);
    if (bytes == NULL)
        abort();
    *size_bytes = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

void make_header_checksum(void *snapshot) {
    struct ht_header *header = snapshot;
    header->header_checksum = 0;
    header->header_checksum = XXH64(snapshot, HT_HEADER_BYTES, 0);
}

struct tables *make_example(void) {
    struct tables *tables = make_tables();
    uint32_t program = make_module(tables, "/usr/bin/made", 0x400000);
    uint32_t library = make_module(tables, "/lib/libmade.so", 0x7f0000000000);
    uint32_t pcs[] = {make_pc(tables, 0x401001, program), make_pc(tables, 0x401101, program),
                      make_pc(tables, 0x7f0000000201, library), make_pc(tables, 0x7f0000000301, library)};
    uint32_t first = make_stack(tables, 0, 0, pcs, 3);
    uint32_t second = make_stack(tables, first, 2, &pcs[3], 1);
    uint32_t third = make_stack(tables, second, 1, &pcs[2], 1);
    make_cell(tables, first, 100, 10, 40);
    make_cell(tables, second, 7, 1000, 0);
    make_cell(tables, third, 1, 1, 0);
    return tables;
}
