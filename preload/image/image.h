/* image.h - the live image: one shared mapping of one file, that others read while we write.
 *
 * The file is sized once and mapped whole without access; a region is made accessible from its start in
 * growing steps, each reserved in the file system before it is touched, so that a full disk is a refusal
 * and not a SIGBUS. No descriptor stays open. Without a file the same mapping is anonymous.
 *
 * Holds:   used_records of a region never exceed what is committed.
 * Threads: any, lock-free, but image_create and image_adopt.  Signals: safe.  Heap: never. */
#ifndef HEAPTALLY_IMAGE_H
#define HEAPTALLY_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heaptally_format.h"

/* Addresses are fixed from image_create on, also across a fork: a child maps its own file over them. */
extern struct ht_header *image_header;
extern struct ht_module *image_modules;
extern char *image_strings;
extern struct ht_pc *image_pcs;
extern uint32_t *image_frames;
extern struct ht_stack *image_stacks;
extern struct ht_cell *image_cells;
extern struct ht_slot *image_slots;
extern struct ht_sample *image_samples;      /* of a cell, by its id; only where blocks are sampled */
extern struct ht_mismatch *image_mismatches; /* only where stacks are verified */
extern struct ht_context *image_contexts;
extern struct ht_detail *image_details; /* of a cell, by its id; see details.h */

/* The order in which regions and their bounds must be read while others write: what names before what it
 * names. Cells name slots and stacks, stacks frames and contexts, frames PCs, PCs modules, modules and
 * contexts strings. */
extern const enum ht_region_id image_reading_order[HT_REGIONS];

/* Creates the image of this process in options.directory and fills in the header. Falls back to smaller
 * tables when address space is short, and to memory without a file when the directory cannot serve
 * (HT_LOSS_NO_FILE). False when there is no memory at all: the process cannot be traced. */
bool image_create(void);

/* In a forked child whose mapping is still its parent's: makes a file of the child's own, copies what is
 * in use, and maps it in place. False when neither file nor memory could be had: stop tracing. Nobody else
 * takes it for an image before image_publish: its figures are the parent's yet. */
bool image_adopt(void);
void image_publish(void);

/* Reserves `count` consecutive records and returns the first, or 0 when the region, the budget or the
 * disk is full. Their bytes are 0. */
uint64_t image_take(enum ht_region_id region, uint64_t count);

/* Makes room for a record that is to be taken last, after those that it names. Another thread may take it. */
bool image_make_room(enum ht_region_id region);

/* Makes record `record` of a region touchable, for records that go with another region's. False as above. */
bool image_cover(enum ht_region_id region, uint64_t record);

/* Names the file, empty without one. Removes it; the mapping stays. */
const char *image_path(void);
void image_remove(void);

static inline void image_lose(enum ht_loss loss, uint64_t count) {
    if (image_header != NULL)
        __atomic_fetch_add(&image_header->losses[loss], count, __ATOMIC_RELAXED); /* a figure */
}

#endif
