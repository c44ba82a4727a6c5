/* make_snapshot.h - small synthetic heaps for the tests of the command.
 *
 * Every call asserts that it succeeded. Record 0 of each region is there and zero. */
#ifndef HEAPTALLY_TESTS_MAKE_SNAPSHOT_H
#define HEAPTALLY_TESTS_MAKE_SNAPSHOT_H

#include "source/tables.h"

/* Empty tables of a snapshot of process 4242, /usr/bin/made. Free with tables_free. */
struct tables *make_tables(void);

/* Each returns the new record's id. */
uint32_t make_module(struct tables *tables, const char *path, uint64_t load_bias);
uint32_t make_pc(struct tables *tables, uint64_t pc, uint32_t module);

/* A stack of the first `kept` frames of `base`, then `count` PCs, outermost first. */
uint32_t make_stack(struct tables *tables, uint32_t base, uint16_t kept, const uint32_t *pcs, uint16_t count);

/* A cell: `allocations` blocks of `size` bytes, of which `frees` were freed. */
uint32_t make_cell(struct tables *tables, uint32_t stack, uint64_t allocations, uint64_t size,
                   uint64_t frees);

/* A context of blocks of a domain, without scope and tag. */
uint32_t make_context(struct tables *tables, uint32_t domain);

/* One of the heap, in a scope by its whole name and with a tag; either may be empty. */
uint32_t make_scope(struct tables *tables, const char *scope, const char *tag);

/* Makes so many contexts instead of those that there are, all zero. */
void make_contexts(struct tables *tables, uint32_t count);
struct ht_context *made_context(struct tables *tables, uint32_t context);

/* Makes the tables those of a process sampled at this distance: a record of SAMPLES for each cell that is
 * there, with a variance of 100 bytes^2 and 1 block^2 for each of its allocations, and as much for each of
 * its frees. */
void make_samples(struct tables *tables, uint64_t sample_bytes);
struct ht_sample *made_sample(struct tables *tables, uint32_t cell);

/* Makes the tables those of a process with details: each cell that is there has an empty record. */
void make_details(struct tables *tables, uint64_t temporary_below);
struct ht_detail *made_detail(struct tables *tables, uint32_t cell);

/* Gives every record of DETAILS figures, of the size of its cell's. */
void make_detail_figures(struct tables *tables);

/* A mismatch of stacks of `count` frames, and of one more by libunwind: the addresses 0x401000 + 16 * i, of
 * which those from `differs_at` on differ. */
uint32_t make_mismatch(struct tables *tables, uint32_t count, uint32_t differs_at);
uint32_t make_slot(struct tables *tables, uint32_t tid);
struct ht_cell *made_cell(struct tables *tables, uint32_t cell);
struct ht_stack *made_stack(struct tables *tables, uint32_t stack);

/* The bytes of a live image with these tables; free with free. */
void *make_image(const struct tables *tables, size_t *size_bytes);

/* The bytes of a snapshot file with these tables; free with free. */
void *make_snapshot(const struct tables *tables, bool compress, size_t *size_bytes);

/* Puts the header's checksum right after a test has changed the header. */
void make_header_checksum(void *snapshot);

/* Two modules, /usr/bin/made and /lib/libmade.so; three stacks: main>grow>malloc twice with a shared base,
 * and main>other; sizes 100 * 10 (40 freed), 7 * 1000, 1 * 1. */
struct tables *make_example(void);

#endif
