/* test_snapshot.c - what was written is what is read, and nothing else is read at all. */
#include "check.h"
#include "make_snapshot.h"
#include "source/model.h"
#include "source/snapshot.h"
#include "source/snapshot_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

static void expect_example(const struct tables *tables) {
    struct model *model = model_new(tables, NULL);
    assert_non_null(model);
    assert_int_equal(model->stack_count, 3);
    assert_int_equal(model->totals.live_bytes, 600 + 7000 + 1);
    assert_int_equal(model->totals.live_blocks, 60 + 7 + 1);
    assert_int_equal(model->totals.allocations, 108);
    assert_int_equal(model->totals.allocated_bytes, 8001);
    assert_int_equal(model->totals.frees, 40);
    model_free(model);
}

static void round_trip(bool compress) {
    struct tables *made = make_example();
    size_t size;
    struct error error;
    void *bytes = make_snapshot(made, compress, &size);
    struct tables *read = snapshot_parse(bytes, size, "made", &error);
    assert_non_null(read);
    expect_example(read);
    for (int i = 0; i < HT_REGIONS; i++) {
        assert_int_equal(read->region[i].count, made->region[i].count);
        assert_memory_equal(read->region[i].at, made->region[i].at,
                            made->region[i].count * tables_record_bytes((enum ht_region_id)i));
    }
    tables_free(read);
    tables_free(made);
    free(bytes);
}

static void plain_comes_back(void **state) {
    (void)state;
    round_trip(false);
}

static void compressed_comes_back(void **state) {
    (void)state;
    round_trip(true);
}

static void every_truncation_is_an_error(void **state) {
    (void)state;
    struct tables *made = make_example();
    for (int compress = 0; compress < 2; compress++) {
        size_t size;
        char *bytes = make_snapshot(made, compress != 0, &size);
        for (size_t cut = 0; cut < size; cut += cut < 200 || cut > HT_HEADER_BYTES ? 1 : 97) {
            char *part =
                aligned_alloc(64, (cut + 64) & ~(size_t)63); /* so that ASan sees one byte too many */
            struct error error = {""};
            memcpy(part, bytes, cut);
            assert_null(snapshot_parse(part, cut, "cut", &error));
            assert_non_null(strstr(error.text, "cut: offset "));
            free(part);
        }
        free(bytes);
    }
    tables_free(made);
}

/* A byte of the padding behind the header may change; any other is covered by a checksum. */
static void every_flipped_byte_is_an_error(void **state) {
    (void)state;
    struct tables *made = make_example();
    for (int compress = 0; compress < 2; compress++) {
        size_t size;
        unsigned char *bytes = make_snapshot(made, compress != 0, &size);
        for (size_t at = 0; at < size; at++) {
            if (at >= sizeof(struct ht_header) && at < HT_HEADER_BYTES)
                continue;
            struct error error = {""};
            bytes[at] ^= 0x55;
            assert_null(snapshot_parse(bytes, size, "flipped", &error));
            assert_non_null(strstr(error.text, "flipped: offset "));
            bytes[at] ^= 0x55;
        }
        free(bytes);
    }
    tables_free(made);
}

/* Damage with a right checksum: as from somebody who wants to hurt. */
static void a_lying_header_is_survived(void **state) {
    (void)state;
    struct tables *made = make_example();
    size_t size;
    char *good = make_snapshot(made, true, &size);
    char *bytes = aligned_alloc(64, (size + 63) & ~(size_t)63);
    static const uint64_t lies[] = {0, 1, 0x7fffffff, UINT32_MAX, UINT64_MAX, (uint64_t)1 << 63, 1 << 20};
    const size_t first = offsetof(struct ht_header, regions);
    for (size_t at = first; at < first + HT_REGIONS * sizeof(struct ht_region); at += 8)
        for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
            memcpy(bytes, good, size);
            memcpy(bytes + at, &lies[i], 8);
            make_header_checksum(bytes);
            tables_free(snapshot_parse(bytes, size, "lie", NULL));
        }
    free(bytes);
    free(good);
    tables_free(made);
}

/* No bytes are no compressed data: what follows the header would be read, and more. */
static void a_compressed_region_without_bytes_is_refused(void **state) {
    (void)state;
    struct tables *made = make_example();
    size_t size;
    struct error error = {""};
    char *good = make_snapshot(made, true, &size), *bytes = aligned_alloc(64, HT_HEADER_BYTES);
    memcpy(bytes, good, HT_HEADER_BYTES);
    struct ht_header *header = (void *)bytes;
    for (int i = 0; i < HT_REGIONS; i++)
        header->regions[i] = (struct ht_region){.record_bytes = tables_record_bytes((enum ht_region_id)i),
                                                .codec = HT_CODEC_PLAIN,
                                                .checksum = XXH64("", 0, 0)};
    struct ht_region *strings = &header->regions[HT_REGION_STRINGS];
    strings->codec = HT_CODEC_ZSTD;
    strings->used_records = strings->capacity_bytes = 39999; /* as much as passes for a ratio */
    make_header_checksum(bytes);
    assert_null(snapshot_parse(bytes, HT_HEADER_BYTES, "empty", &error));
    assert_non_null(strstr(error.text, "strings: the compressed data have another size"));
    free(bytes);
    free(good);
    tables_free(made);
}

static void another_version_is_named(void **state) {
    (void)state;
    struct tables *made = make_example();
    size_t size;
    struct error error;
    char *bytes = make_snapshot(made, false, &size);
    ((struct ht_header *)(void *)bytes)->version = 7u << 16 | 3;
    make_header_checksum(bytes);
    assert_null(snapshot_parse(bytes, size, "new.hts", &error));
    assert_string_equal(error.text,
                        "new.hts: offset 8: format version 7.3, but this heaptally reads version 3.x; use "
                        "the heaptally that wrote it");
    ((struct ht_header *)(void *)bytes)->version = HT_VERSION + 9;
    make_header_checksum(bytes);
    struct tables *read = snapshot_parse(bytes, size, "minor.hts", &error);
    assert_non_null(read);
    tables_free(read);
    free(bytes);
    tables_free(made);
}

static void expect_refused(struct tables *tables, const char *what) {
    struct error error = {""};
    assert_false(tables_check(tables, "bad", &error));
    assert_non_null(strstr(error.text, what));
    tables_free(tables);
}

static void indices_out_of_range_are_refused(void **state) {
    (void)state;
    struct tables *tables = make_example();
    made_cell(tables, 1)->stack = 999;
    expect_refused(tables, "cells, record 1: stack 999, limit 6");
    tables = make_example();
    made_stack(tables, 4)->base = 4;
    expect_refused(tables, "stacks, record 4: base stack 4");
    tables = make_example();
    made_stack(tables, 4)->kept = 60000;
    expect_refused(tables, "stacks, record 4: kept frames");
    tables = make_example();
    made_stack(tables, 3)->first_frame = UINT32_MAX;
    expect_refused(tables, "stacks, record 3: first frame");
    tables = make_example();
    made_stack(tables, 3)->frame_count = 65535;
    expect_refused(tables, "stacks, record 3: first frame");
    tables = make_example();
    ((uint32_t *)tables->region[HT_REGION_FRAMES].at)[2] = HT_FRAME_PC;
    expect_refused(tables, "frames, record 2: PC");
    tables = make_example();
    ((struct ht_pc *)tables->region[HT_REGION_PCS].at)[1].module = 77;
    expect_refused(tables, "PCs, record 1: module 77, limit 3");
}

/* Three windows of three frames each, of which the oldest 2, 3 and 4 frames are not kept: 1 2 3, 2 3 4, 3
 * 4 1. */
static struct tables *make_windows(uint32_t ids[3]) {
    struct tables *tables = make_example();
    const uint32_t pcs[] = {1, 2, 3, 4, 1};
    ids[0] = make_stack(tables, 0, 0, pcs, 3);
    ids[1] = make_stack(tables, ids[0], 2, pcs + 3, 1);
    ids[2] = make_stack(tables, ids[1], 2, pcs + 4, 1);
    for (uint16_t i = 0; i < 3; i++) {
        made_stack(tables, ids[i])->depth = (uint16_t)(5 + i);
        make_cell(tables, ids[i], 1, 1, 0);
    }
    return tables;
}

static void windows_decode_through_their_bases(void **state) {
    (void)state;
    static const uint32_t expected[3][3] = {{1, 2, 3}, {2, 3, 4}, {3, 4, 1}};
    struct error error = {""};
    uint32_t ids[3], frames[3];
    struct tables *tables = make_windows(ids);
    assert_true(tables_check(tables, "good", &error));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tables_frames(tables, ids[i], frames), 3);
        assert_memory_equal(frames, expected[i], sizeof frames);
    }
    tables_free(tables);
}

static void frames_that_a_base_does_not_have_are_refused(void **state) {
    (void)state;
    uint32_t ids[3];
    struct tables *tables = make_windows(ids);
    made_stack(tables, ids[1])->depth = 4; /* begins before its base */
    expect_refused(tables, "frames of its base left out");
    tables = make_windows(ids);
    made_stack(tables, ids[2])->depth = 65535;
    expect_refused(tables, "frames of its base left out");
    tables = make_windows(ids);
    made_stack(tables, ids[1])->depth++; /* its base lacks one then */
    expect_refused(tables, "kept frames of its base 2, limit 1");
}

static void a_path_out_of_range_is_empty(void **state) {
    (void)state;
    struct tables *tables = make_example();
    assert_string_equal(tables_module_path(tables, 2), "/lib/libmade.so");
    ((struct ht_module *)tables->region[HT_REGION_MODULES].at)[2].path = UINT64_MAX;
    assert_string_equal(tables_module_path(tables, 2), "");
    assert_string_equal(tables_module_path(tables, 9), "");
    tables_free(tables);
}

/* Also when it is longer than any that a process writes; a stack's index ends at HT_CONTEXTS_MAX. */
static void a_name_out_of_range_is_empty(void **state) {
    (void)state;
    char name[HT_SCOPE_BYTES + 1];
    struct tables *tables = make_example();
    memset(name, 'x', sizeof name);
    name[HT_SCOPE_BYTES] = '\0';
    uint32_t longer = make_module(tables, name, 0), longest = make_module(tables, name + 1, 0);
    make_contexts(tables, HT_CONTEXTS_MAX + 1);
    struct ht_context *all = made_context(tables, 0);
    for (uint32_t id = 1; id <= HT_CONTEXTS_MAX; id++)
        all[id].domain = id;
    all[1].scope = all[1].domain_name = UINT64_MAX;
    all[1].tag = tables_module(tables, longer)->path;
    all[2].tag = tables_module(tables, longest)->path;
    struct tables_context context = tables_context(tables, 1);
    assert_int_equal(context.domain, 1);
    assert_string_equal(context.scope, "");
    assert_string_equal(context.domain_name, "");
    assert_string_equal(context.tag, "");
    assert_string_equal(tables_context(tables, 2).tag, name + 1);
    assert_int_equal(tables_context_count(tables), HT_CONTEXTS_MAX);
    assert_int_equal(tables_context(tables, HT_CONTEXTS_MAX - 1).domain, HT_CONTEXTS_MAX - 1);
    assert_int_equal(tables_context(tables, HT_CONTEXTS_MAX).domain, HT_DOMAIN_HEAP);
    made_stack(tables, HT_STACK_FIRST)->context = UINT16_MAX;
    expect_refused(tables, "stacks, record 3: context 65535, limit 65535");
}

static void stacks_decode_through_their_bases(void **state) {
    (void)state;
    struct tables *tables = make_example();
    uint32_t frames[8];
    assert_int_equal(tables_frames(tables, 4, frames), 3);
    assert_int_equal(frames[0], 1);
    assert_int_equal(frames[1], 2);
    assert_int_equal(frames[2], 4);
    assert_int_equal(tables_frames(tables, 5, frames), 2);
    assert_int_equal(frames[0], 1);
    assert_int_equal(frames[1], 3);
    tables_free(tables);
}

static void a_file_that_is_there_stays(void **state) {
    (void)state;
    char path[] = "/tmp/heaptally-test-XXXXXX";
    struct tables *tables = make_example();
    struct snapshot_options options = {.trigger = HT_TRIGGER_OUTSIDE, .number = 1};
    struct error error;
    struct stat status;
    bool exists = false;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_false(snapshot_write(tables, path, &options, &exists, &error));
    assert_true(exists);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_size, 0);
    options.overwrite = true;
    assert_true(snapshot_write(tables, path, &options, &exists, &error));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    close(fd);
    unlink(path);
    tables_free(tables);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_comes_back),
        cmocka_unit_test(compressed_comes_back),
        cmocka_unit_test(every_truncation_is_an_error),
        cmocka_unit_test(every_flipped_byte_is_an_error),
        cmocka_unit_test(a_lying_header_is_survived),
        cmocka_unit_test(a_compressed_region_without_bytes_is_refused),
        cmocka_unit_test(another_version_is_named),
        cmocka_unit_test(indices_out_of_range_are_refused),
        cmocka_unit_test(a_path_out_of_range_is_empty),
        cmocka_unit_test(a_name_out_of_range_is_empty),
        cmocka_unit_test(stacks_decode_through_their_bases),
        cmocka_unit_test(windows_decode_through_their_bases),
        cmocka_unit_test(frames_that_a_base_does_not_have_are_refused),
        cmocka_unit_test(a_file_that_is_there_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
