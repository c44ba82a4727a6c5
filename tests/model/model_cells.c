/* model_cells.c - one cell, written by the inline functions of preload/image/counters.h, read by copy_settled
 * of report/source/image.c, under every order that memory may give: the sequence around a cell, and the one
 * of the maximum. */
#include "machine.h"

#include "image/counters.h"
#include "source/image.c"

/* ---- what they stand on ---- */

static _Alignas(64) char header[sizeof(struct ht_header)];
struct ht_header *image_header = (void *)header;
static _Alignas(64) struct ht_cell cell;

struct tables *tables_new(void) {
    return NULL;
}

void tables_free(struct tables *self) {
    (void)self;
}

bool tables_check(const struct tables *self, const char *name, struct error *error) {
    return self == NULL && name == NULL && error == NULL;
}

bool tables_check_header(struct ht_header *of, uint64_t file_bytes, const char *name, struct error *error) {
    return of == NULL && file_bytes == 0 && name == NULL && error == NULL;
}

bool tables_take_header(struct tables *self, enum ht_kind kind, const void *bytes, size_t size_bytes,
                        const char *name, struct error *error) {
    return self == NULL && kind == HT_KIND_IMAGE && bytes == NULL && size_bytes == 0 && name == NULL &&
           error == NULL;
}

bool tables_reserve(struct records *self, enum ht_region_id id, uint64_t bytes, struct error *error) {
    return self == NULL && id == HT_REGIONS && bytes == 0 && error == NULL;
}

bool error_set(struct error *self, const char *format, ...) {
    return self == NULL && format == NULL;
}

bool error_out_of_memory(struct error *self) {
    return self == NULL;
}

/* ---- experiments ---- */

#define SIZE 100u

static void begin(void) {
    image_header->totals.peak_sequence = 1;
}

static void free_two(void) {
    counters_freed_in(&cell, &image_header->totals, SIZE);
    counters_freed_in(&cell, &image_header->totals, SIZE);
}

static void free_one(void) {
    counters_freed_in(&cell, &image_header->totals, SIZE);
}

/* As advance_peak does. */
static void new_maximum(void) {
    __atomic_fetch_add(&image_header->totals.peak_sequence, 1, __ATOMIC_RELEASE);
}

/* As of a process that runs: as often as before a nap. */
static void read_cell(struct ht_cell *copy) {
    struct patience patience = {REGION_TRIES, 0};
    copy_settled(copy, &cell, sizeof cell, &cell, &patience);
}

static void read_once(void) {
    struct ht_cell copy;
    read_cell(&copy);
    EXPECT(copy.freed_bytes == SIZE * copy.frees && copy.peak_bytes == (int64_t)SIZE * copy.peak_blocks);
}

static void read_twice(void) {
    struct ht_cell first, second;
    read_cell(&first);
    EXPECT(first.freed_bytes == SIZE * first.frees);
    EXPECT(first.peak_bytes == (int64_t)SIZE * first.peak_blocks);
    read_cell(&second);
    EXPECT(second.freed_bytes == SIZE * second.frees && second.frees >= first.frees);
}

/* The number of the maximum first, then the cell: one that has noted that maximum holds what it was then, and
 * one that has not has not changed since. */
static void read_peak(void) {
    struct ht_totals totals;
    struct ht_cell copy;
    copy_words((uint64_t *)&totals, (const uint64_t *)&image_header->totals, sizeof totals);
    read_cell(&copy);
    uint64_t after = __atomic_load_n(&image_header->totals.peak_sequence, __ATOMIC_ACQUIRE);
    if (after != totals.peak_sequence)
        return;
    EXPECT(copy.peak_sequence <= after);
    EXPECT(copy.freed_bytes == SIZE * copy.frees);
    if (copy.peak_sequence == after)
        EXPECT(copy.peak_blocks <= 0 && copy.peak_blocks >= -(int64_t)copy.frees);
}

static void both_counted(void) {
    EXPECT(cell.frees == 2 && cell.freed_bytes == 2 * SIZE && (cell.write_sequence & 1) == 0);
}

int main(int argc, char **argv) {
    static const struct subject subjects[] = {
        {"a cell, read", begin, {free_one, read_once}, NULL, 3, 2, false, 40},
        {"a cell of two events, read", begin, {free_two, read_once}, both_counted, 2, 2, false, 50},
        {"a cell, read twice", begin, {free_two, read_twice}, both_counted, 2, 1, false, 60},
        {"a cell, a new maximum, read",
         begin,
         {free_two, read_peak, new_maximum},
         both_counted,
         2,
         1,
         false,
         60},
        {NULL, NULL, {NULL}, NULL, 0, 0, false, 0},
    };
    return machine_main(argc, argv, subjects);
}
