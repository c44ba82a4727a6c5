/* fuzz_source.c - bytes -> snapshot or image -> model -> every table and difference that a command shows.
 *
 * An input is a file without the header's strings and padding, which nothing interprets and which would make
 * each input 16 KiB: one byte of choices, the header's head, its regions, totals and losses, then all that
 * follows the header. Checksums are put right unless the choice says otherwise: a fuzzer does not find them.
 *
 * Threads: one.  Heap: yes. */
#include "source/image.h"
#include "source/snapshot.h"
#include "stats/compare.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define HEAD_BYTES offsetof(struct ht_header, label)
#define TAIL_BYTES (sizeof(struct ht_header) - offsetof(struct ht_header, regions))

enum choice { AS_SNAPSHOT = 1, RUNNING = 2, KEEP_CHECKSUMS = 4, CUMULATIVE = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void repair_checksums(char *file, size_t size_bytes) {
    struct ht_header *header = (void *)file;
    for (int i = 0; i < HT_REGIONS; i++) {
        struct ht_region *region = &header->regions[i];
        if (region->offset <= size_bytes && region->stored_bytes <= size_bytes - region->offset)
            region->checksum = XXH64(file + region->offset, region->stored_bytes, 0);
    }
    header->header_checksum = 0;
    header->header_checksum = XXH64(file, HT_HEADER_BYTES, 0);
}

/* The file that an input stands for. */
static char *expand(const uint8_t *data, size_t size, size_t *size_bytes) {
    size_t rest = size - HEAD_BYTES - TAIL_BYTES;
    *size_bytes = HT_HEADER_BYTES + rest;
    char *file = aligned_alloc(64, (*size_bytes + 63) / 64 * 64);
    if (file == NULL)
        abort();
    memset(file, 0, HT_HEADER_BYTES);
    memcpy(file, data, HEAD_BYTES);
    memcpy(file + offsetof(struct ht_header, regions), data + HEAD_BYTES, TAIL_BYTES);
    memcpy(file + HT_HEADER_BYTES, data + HEAD_BYTES + TAIL_BYTES, rest);
    return file;
}

static void show(struct traces *traces, struct frames *frames, bool cumulative) {
    struct statistics by_line, by_stack, difference;
    struct query lines = {.keys = {KEY_LINENO, KEY_END}, .metric = METRIC_PEAK, .cumulative = cumulative};
    struct query stacks = {.keys = {KEY_TRACEBACK, KEY_END}, .metric = METRIC_LIVE};
    struct error error;
    if (!statistics_of(traces, &lines, &by_line, &error))
        return;
    if (statistics_of(traces, &stacks, &by_stack, &error)) {
        if (statistics_compare(&by_line, &by_stack, frames, &difference, &error))
            statistics_free(&difference);
        statistics_free(&by_stack);
    }
    statistics_free(&by_line);
}

static void use(struct tables *tables, bool cumulative) {
    struct error error;
    struct symbols *symbols = symbols_new(NULL);
    struct frames *frames = frames_new();
    struct model *model = model_new(tables, &error);
    struct traces *traces = model != NULL ? traces_new(model, symbols, frames, &error) : NULL;
    tables_sum_slots(tables);
    if (traces != NULL)
        show(traces, frames, cumulative);
    traces_free(traces);
    model_free(model);
    frames_free(frames);
    symbols_free(symbols);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error error;
    size_t size_bytes;
    if (size < 1 + HEAD_BYTES + TAIL_BYTES)
        return 0;
    uint8_t choice = data[0];
    char *file = expand(data + 1, size - 1, &size_bytes);
    if ((choice & AS_SNAPSHOT) != 0 && (choice & KEEP_CHECKSUMS) == 0)
        repair_checksums(file, size_bytes);
    struct tables *tables = (choice & AS_SNAPSHOT) != 0
                                ? snapshot_parse(file, size_bytes, "fuzz", &error)
                                : image_freeze(file, size_bytes, (choice & RUNNING) != 0, "fuzz", &error);
    if (tables != NULL)
        use(tables, (choice & CUMULATIVE) != 0);
    tables_free(tables);
    free(file);
    return 0;
}
