/* seeds.c DIRECTORY - writes synthetic heaps as inputs of fuzz_source, each as an image, a snapshot, a packed
 * one: that of the unit tests, one with details, one that has something in all regions, and some of counters
 * that no process has. The corpus begins with these; they follow the format, which stored ones cannot.
 *
 * Threads: one.  Heap: yes. */
#define _GNU_SOURCE
#include "make_snapshot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES offsetof(struct ht_header, label)
#define TAIL_BYTES (sizeof(struct ht_header) - offsetof(struct ht_header, regions))

static void store(const char *directory, const char *name, unsigned char choice, const char *file,
                  size_t size_bytes) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *out = fopen(path, "we");
    if (out == NULL) {
        perror(path);
        exit(1);
    }
    fputc(choice, out);
    fwrite(file, 1, HEAD_BYTES, out);
    fwrite(file + offsetof(struct ht_header, regions), 1, TAIL_BYTES, out);
    fwrite(file + HT_HEADER_BYTES, 1, size_bytes - HT_HEADER_BYTES, out);
    if (fclose(out) != 0)
        exit(1);
}

/* Offsets in a file count its header. */
static void store_forms(const char *directory, const char *name, struct tables *tables) {
    for (int form = 0; form < 3; form++) {
        static const char *const names[] = {"image", "snapshot", "packed"};
        static const unsigned char choices[] = {2 | 16, 1 | 32, 1 | 8 | 64}; /* see fuzz_source.c */
        char file_name[64];
        size_t size;
        char *file = form == 0 ? make_image(tables, &size) : make_snapshot(tables, form == 2, &size);
        snprintf(file_name, sizeof file_name, "%s_%s", name, names[form]);
        store(directory, file_name, choices[form], file, size);
        free(file);
    }
    tables_free(tables);
}

/* The offset of a string, which is the path of a module too. */
static uint64_t make_string(struct tables *tables, const char *string) {
    return tables_module(tables, make_module(tables, string, 0))->path;
}

/* A domain with a name, and two scopes, one in the other, with figures. */
static uint32_t make_said(struct tables *tables) {
    uint32_t domain = make_context(tables, 389047), outer = make_context(tables, HT_DOMAIN_HEAP);
    uint32_t inner = make_context(tables, HT_DOMAIN_HEAP), tagged = make_context(tables, HT_DOMAIN_HEAP);
    uint64_t scope = make_string(tables, "net/tls");
    struct ht_context *all = tables->region[HT_REGION_CONTEXTS].at;
    all[domain].domain_name = make_string(tables, "array\x1b[31m");
    all[outer].scope = make_string(tables, "net");
    all[outer].begun = 3;
    all[inner].scope = all[tagged].scope = scope;
    all[inner].parent = outer;
    all[inner].allocations = 10;
    all[inner].allocated_bytes = all[inner].peak_bytes = 1000;
    all[tagged].parent = inner;
    all[tagged].tag = make_string(tables, "session");
    return domain;
}

/* All that a file may have beside the unit tests' example. */
static struct tables *make_rich(void) {
    struct tables *tables = make_example();
    struct ht_header *header = &tables->header;
    made_stack(tables, HT_STACK_FIRST)->context = (uint16_t)make_said(tables);
    for (uint32_t cell = 1; cell < tables->region[HT_REGION_CELLS].count; cell++)
        made_cell(tables, cell)->slot = make_slot(tables, 100 + cell);
    make_samples(tables, 512 << 10);
    make_mismatch(tables, 3, 1);
    header->verify_every = 10;
    header->verified_stacks = 1000;
    header->mismatched_stacks = 1;
    header->inherited_blocks = 2;
    header->losses[HT_LOSS_UNTRACKED_BYTES] = 5;
    snprintf(header->label, sizeof header->label, "a\x1b[31mlabel\n");
    memcpy(header->command_line, "made\0--all\0", 11);
    header->command_line_bytes = 11;
    return tables;
}

/* Details of two cells of three, as where there was no room for more. */
static struct tables *make_detailed(void) {
    struct tables *tables = make_example();
    make_details(tables, 1);
    make_detail_figures(tables);
    tables->region[HT_REGION_DETAILS].count--;
    tables->header.regions[HT_REGION_DETAILS].used_records--;
    tables->header.details_epoch_ns = 1000;
    tables->header.taken_monotonic_ns = 5000000000;
    return tables;
}

/* Something in all regions. */
static struct tables *make_full(void) {
    struct tables *tables = make_rich();
    make_mismatch(tables, HT_MISMATCH_FRAMES + 1, 0);
    make_details(tables, 100);
    make_detail_figures(tables);
    tables->header.taken_monotonic_ns = 5000000000;
    return tables;
}

/* All bits of all details, in units of time that are, and are not, any. */
static struct tables *make_overflowing(void) {
    static const uint32_t shifts[] = {1, 59, 60};
    struct tables *tables = make_example();
    make_details(tables, UINT64_MAX);
    for (uint32_t i = 1; i < tables->region[HT_REGION_DETAILS].count; i++) {
        memset(made_detail(tables, i), 0xff, sizeof(struct ht_detail));
        made_detail(tables, i)->age_shift = shifts[i % 3];
    }
    tables->header.details_epoch_ns = UINT64_MAX;
    return tables;
}

static struct tables *make_extreme(const uint64_t sizes[3]) {
    static const double variances[] = {1e308, (double)INFINITY, (double)NAN};
    struct tables *tables = make_example();
    make_samples(tables, UINT64_MAX);
    for (uint32_t i = 0; i < 3; i++) {
        struct ht_cell *cell = made_cell(tables, i + 1);
        cell->allocated_bytes = cell->allocations = sizes[i];
        cell->freed_bytes = cell->frees = 0;
        made_sample(tables, i + 1)->allocated_bytes_variance = variances[i];
        made_sample(tables, i + 1)->freed_blocks_variance = -variances[i];
    }
    made_cell(tables, 0)->stack = UINT32_MAX;
    return tables;
}

int main(int argc, char **argv) {
    static const uint64_t smallest[] = {(uint64_t)INT64_MIN, 3, 5}, largest[] = {1, INT64_MAX, INT64_MAX};
    if (argc != 2)
        return 2;
    store_forms(argv[1], "example", make_example());
    store_forms(argv[1], "rich", make_rich());
    store_forms(argv[1], "detailed", make_detailed());
    store_forms(argv[1], "full", make_full());
    store_forms(argv[1], "overflowing", make_overflowing());
    store_forms(argv[1], "smallest", make_extreme(smallest));
    store_forms(argv[1], "largest", make_extreme(largest));
    return 0;
}
