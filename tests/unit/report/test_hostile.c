/* test_hostile.c - tables that a sane writer would never write: refused, or counted without harm. */
#include "check.h"
#include "fake_symbols.h"
#include "make_snapshot.h"
#include "stats/compare.h"

#include <stdlib.h>

static const enum ht_region_id damaged[] = {HT_REGION_MODULES, HT_REGION_PCS,    HT_REGION_FRAMES,
                                            HT_REGION_STACKS,  HT_REGION_CELLS,  HT_REGION_SLOTS,
                                            HT_REGION_SAMPLES, HT_REGION_DETAILS};

static void damage(struct tables *tables) {
    enum ht_region_id id = damaged[(size_t)rand() % (sizeof damaged / sizeof *damaged)];
    struct records *records = &tables->region[id];
    size_t bytes = (size_t)records->count * tables_record_bytes(id);
    unsigned char *at = (unsigned char *)records->at + (size_t)rand() % bytes;
    switch (rand() % 3) {
    case 0: *at = (unsigned char)rand(); break;
    case 1: *at = (unsigned char)(rand() % 8); break;
    default: *at = 0xff; break;
    }
}

/* Neither NaN nor infinite. */
static void expect_sane(const struct statistics *statistics) {
    assert_true(variances_error(statistics->size_total_variance) < 1e30);
    for (size_t i = 0; i < statistics->count; i++) {
        assert_true(variances_error(statistics->rows[i].size_variance) < 1e30);
        assert_true(variances_error(statistics->rows[i].count_diff_variance) < 1e30);
    }
}

/* Every key with what follows it, so that numbers, places and stacks are combined. */
static void use(struct traces *traces, struct frames *frames) {
    struct statistics of_key, cumulative, difference;
    for (int key = KEY_LINENO; key <= KEY_KIND; key++) {
        struct query query = {.keys = {(enum key)key}, .metric = (enum metric)(rand() % 3)};
        query.keys[1] = rand() % 2 == 0 && key < KEY_KIND ? (enum key)(key + 1) : KEY_END;
        assert_true(statistics_of(traces, &query, &of_key, NULL));
        query.cumulative = key != KEY_TRACEBACK && query.keys[1] != KEY_TRACEBACK;
        assert_true(statistics_of(traces, &query, &cumulative, NULL));
        assert_true(statistics_compare(&of_key, &cumulative, frames, &difference, NULL));
        expect_sane(&of_key);
        expect_sane(&cumulative);
        expect_sane(&difference);
        statistics_free(&difference);
        statistics_free(&cumulative);
        statistics_free(&of_key);
    }
}

static bool try(struct tables *tables) {
    struct symbols *symbols = symbols_new(NULL);
    struct frames *frames = frames_new();
    bool good = tables_check(tables, "hostile", NULL);
    struct model *model = good ? model_new_rows(tables, (enum model_rows)(rand() % 3), NULL) : NULL;
    struct traces *traces = good ? traces_new(model, symbols, frames, NULL) : NULL;
    if (good)
        use(traces, frames);
    traces_free(traces);
    model_free(model);
    frames_free(frames);
    symbols_free(symbols);
    return good;
}

static void damaged_tables_do_no_harm(void **state) {
    int good = 0, rounds = 3000;
    (void)state;
    srand(7);
    for (int round = 0; round < rounds; round++) {
        struct tables *tables = make_example();
        tables->header.totals.peak_bytes = (uint64_t)rand() % 10000;
        if (round % 2 == 0)
            make_samples(tables, 1024);
        for (int i = rand() % 12; i >= 0; i--)
            damage(tables);
        good += try(tables);
        tables_free(tables);
    }
    assert_in_range(good, 1, (uintmax_t)rounds - 1); /* both ends were tried */
}

/* Each stack takes one frame less from the one before: as deep as decoding can go. */
static void a_long_chain_of_bases_ends(void **state) {
    (void)state;
    struct tables *tables = make_tables();
    uint32_t pc = make_pc(tables, 0x1000, 0), last = make_stack(tables, 0, 0, &pc, 1);
    for (uint16_t depth = 1; depth < 3000; depth++)
        last = make_stack(tables, last, depth, &pc, 1);
    make_cell(tables, last, 1, 1, 0);
    assert_true(try(tables));
    tables_free(tables);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_tables_do_no_harm),
        cmocka_unit_test(a_long_chain_of_bases_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
