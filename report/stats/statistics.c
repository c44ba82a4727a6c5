/* statistics.c - see statistics.h.
 * Owns:    rows and groups until they are handed over.
 * Holds:   row i is group i until the rows are sorted.
 * Threads: one.  Signals: no.  Heap: yes. */
#define _GNU_SOURCE
#include "statistics.h"
#include "group.h"
#include "interner.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The groups of frames under one key: a frame is in many stacks. */
struct memo {
    frame_id *group; /* by frame id, one more than it is; 0: not yet known */
    size_t room;
};

struct grouping {
    struct traces *traces;
    struct frames *frames;
    const struct query *query;
    struct statistics *result;
    size_t room;
    size_t *last_trace; /* of a row: 1 + the trace that was counted in it last */
    frame_id *group;    /* of KEY_TRACEBACK: the group being made */
    size_t group_room;
    struct memo memos[KEYS_MAX + 1]; /* by enum key */
};

static bool add_row(struct grouping *self, uint32_t group, frame_id sample) {
    struct statistics *result = self->result;
    if (result->count == self->room) {
        size_t room = self->room != 0 ? 2 * self->room : 256;
        struct statistic *rows = realloc(result->rows, room * sizeof *rows);
        if (rows != NULL)
            result->rows = rows;
        size_t *last = realloc(self->last_trace, room * sizeof *last);
        if (last != NULL)
            self->last_trace = last;
        if (rows == NULL || last == NULL)
            return false;
        self->room = room;
    }
    size_t bytes;
    const frame_id *frames = interner_get(result->groups, group, &bytes);
    result->rows[group] =
        (struct statistic){.frames = frames, .frame_count = bytes / sizeof *frames, .sample = sample};
    self->last_trace[group] = 0;
    result->count++;
    if (self->query->details)
        result->rows[group].details = calloc(1, sizeof *result->rows[group].details);
    return !self->query->details || result->rows[group].details != NULL;
}

/* Wraps rather than overflow: a damaged file may hold any counter. */
static int64_t plus(int64_t a, int64_t b) {
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

/* Adds a trace to a group, once. A thread that frees the blocks of others has a variance below 0, and is
 * uncertain by its magnitude. */
static bool count_in(struct grouping *self, size_t trace, const frame_id *frames, size_t count,
                     frame_id sample) {
    struct amount amount = traces_amount(self->traces, trace, self->query->metric);
    bool fresh;
    uint32_t group = interner_put(self->result->groups, frames, count * sizeof *frames, &fresh);
    if (group == INTERNER_NONE || (fresh && !add_row(self, group, sample)))
        return false;
    if (self->last_trace[group] == trace + 1 && !self->query->every_frame)
        return true;
    self->last_trace[group] = trace + 1;
    self->result->rows[group].size = plus(self->result->rows[group].size, amount.size);
    self->result->rows[group].count = plus(self->result->rows[group].count, amount.count);
    self->result->rows[group].size_variance += fabs(amount.size_variance);
    self->result->rows[group].count_variance += fabs(amount.count_variance);
    if (self->query->details && traces_details(self->traces, trace) != NULL)
        details_add(self->result->rows[group].details, traces_details(self->traces, trace));
    return true;
}

/* ---- keys ---- */

bool key_is_of_frames(enum key key) {
    return key < KEY_THREAD;
}

static bool has_key(const enum key *keys, enum key key) {
    while (*keys != KEY_END && *keys != key)
        keys++;
    return *keys != KEY_END;
}

size_t statistics_parts(const enum key *keys) {
    size_t count = 0;
    for (; *keys != KEY_END; keys++)
        count += *keys != KEY_TRACEBACK;
    return count;
}

/* The largest power of two that the average reaches; 0 for none. */
static uint64_t size_class(struct amount amount) {
    if (amount.count <= 0 || amount.size < amount.count)
        return 0;
    uint64_t average = (uint64_t)amount.size / (uint64_t)amount.count;
    return 1ull << (63 - __builtin_clzll(average));
}

static bool room_in_memo(struct memo *memo, const struct frames *frames, frame_id id) {
    if (id < memo->room)
        return true;
    size_t room = 2 * (size_t)frames_count(frames) + 1024;
    frame_id *more = realloc(memo->group, room * sizeof *more);
    if (more == NULL)
        return false;
    memset(more + memo->room, 0, (room - memo->room) * sizeof *more);
    memo->group = more;
    memo->room = room;
    return true;
}

static frame_id remembered_group(struct grouping *self, enum key key, frame_id id) {
    struct memo *memo = &self->memos[key];
    if (!room_in_memo(memo, self->frames, id))
        return FRAME_NONE;
    if (memo->group[id] == 0) {
        frame_id group = group_of_frame(self->frames, key, id);
        if (group == FRAME_NONE)
            return FRAME_NONE;
        memo->group[id] = group + 1;
    }
    return memo->group[id] - 1;
}

static frame_id kind_part(struct grouping *self, size_t trace) {
    enum kind kind;
    return traces_kind(self->traces, trace, &kind) ? group_of_number(self->frames, KEY_KIND, kind)
                                                   : FRAME_NONE;
}

static frame_id part_of(struct grouping *self, enum key key, size_t trace, frame_id id) {
    switch (key) {
    case KEY_THREAD:
    case KEY_FREEING_THREAD: return group_of_number(self->frames, key, traces_thread(self->traces, trace));
    case KEY_DOMAIN: return group_of_number(self->frames, key, traces_domain(self->traces, trace));
    case KEY_KIND: return kind_part(self, trace);
    case KEY_SCOPE: return group_of_name(self->frames, key, traces_scope(self->traces, trace));
    case KEY_TAG: return group_of_name(self->frames, key, traces_tag(self->traces, trace));
    case KEY_SIZE:
        return group_of_number(self->frames, key,
                               size_class(traces_amount(self->traces, trace, self->query->metric)));
    default: return remembered_group(self, key, id);
    }
}

/* Writes the parts of a group, without the stack. False when out of memory. */
static bool make_parts(struct grouping *self, size_t trace, frame_id id, frame_id *parts) {
    for (const enum key *key = self->query->keys; *key != KEY_END; key++) {
        if (*key == KEY_TRACEBACK)
            continue;
        *parts = part_of(self, *key, trace, id);
        if (*parts++ == FRAME_NONE)
            return false;
    }
    return true;
}

/* ---- counting ---- */

static bool count_frame(struct grouping *self, size_t trace, frame_id id) {
    frame_id parts[KEYS_MAX];
    return make_parts(self, trace, id, parts) &&
           count_in(self, trace, parts, statistics_parts(self->query->keys), id);
}

static bool count_all_frames(struct grouping *self, size_t trace) {
    const frame_id *ids;
    size_t count;
    if (!traces_frames(self->traces, trace, &ids, &count))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!count_frame(self, trace, ids[i]))
            return false;
    return true;
}

static bool count_stack(struct grouping *self, size_t trace, frame_id named) {
    const frame_id *ids;
    size_t count, parts = statistics_parts(self->query->keys);
    if (!traces_frames(self->traces, trace, &ids, &count))
        return false;
    if (parts + count > self->group_room) {
        free(self->group);
        self->group_room = 2 * (parts + count);
        self->group = malloc(self->group_room * sizeof *self->group);
        if (self->group == NULL)
            return false;
    }
    memcpy(self->group + parts, ids, count * sizeof *ids);
    return make_parts(self, trace, named, self->group) &&
           count_in(self, trace, self->group, parts + count, self->group[parts]);
}

/* The frame that stands for a trace: of the keys that need no symbols, a cheap one. */
static bool representative(struct grouping *self, size_t trace, frame_id *id) {
    const enum key *keys = self->query->keys;
    if (has_key(keys, KEY_LINENO) || has_key(keys, KEY_FILENAME) || has_key(keys, KEY_FUNCTION))
        return traces_blamed(self->traces, trace, &self->query->blame, id);
    return traces_module(self->traces, trace, id);
}

static bool count_trace(struct grouping *self, size_t trace) {
    frame_id id;
    if (self->query->cumulative)
        return count_all_frames(self, trace);
    if (!representative(self, trace, &id))
        return false;
    return has_key(self->query->keys, KEY_TRACEBACK) ? count_stack(self, trace, id)
                                                     : count_frame(self, trace, id);
}

static void add_amount(struct amount *to, struct amount amount) {
    to->size = plus(to->size, amount.size);
    to->count = plus(to->count, amount.count);
    to->size_variance += amount.size_variance;
    to->count_variance += amount.count_variance;
}

static bool count_traces(struct grouping *self) {
    const struct query *query = self->query;
    /* over all threads, what one frees takes away what another has allocated, in the variance too */
    bool all_threads = !filters_have(&query->filters, FILTER_THREAD);
    for (size_t i = 0; i < traces_count(self->traces); i++) {
        struct amount amount = traces_amount(self->traces, i, query->metric);
        bool accepted;
        size_t by = SUPPRESSIONS_NONE;
        bool empty = amount.size == 0 && amount.count == 0;
        if (empty && !query->details)
            continue;
        if (!filters_accept(&query->filters, self->traces, i, amount.size, &query->blame, &accepted))
            return false;
        if (!accepted)
            continue;
        if (query->suppressions != NULL && !suppressions_cover(query->suppressions, self->traces, i, &by))
            return false;
        if (by != SUPPRESSIONS_NONE) {
            add_amount(&self->result->suppressed, amount);
            add_amount(&self->result->suppressed_by[by], amount);
            continue;
        }
        self->result->size_total = plus(self->result->size_total, amount.size);
        self->result->count_total = plus(self->result->count_total, amount.count);
        self->result->size_total_variance += all_threads ? amount.size_variance : fabs(amount.size_variance);
        if (query->details && traces_details(self->traces, i) != NULL)
            details_add(&self->result->details, traces_details(self->traces, i));
        if (!empty && !count_trace(self, i))
            return false;
    }
    return true;
}

/* ---- order ---- */

int statistics_compare_tracebacks(const struct frames *frames, const struct statistic *a,
                                  const struct statistic *b) {
    size_t i = a->frame_count, j = b->frame_count;
    while (i > 0 && j > 0) {
        int order = frames_compare(frames, a->frames[--i], b->frames[--j]);
        if (order != 0)
            return order;
    }
    return i > 0 ? 1 : j > 0 ? -1 : 0;
}

struct order {
    const struct frames *frames;
    bool of_counts;
};

static int descending(const void *a, const void *b, void *context) {
    const struct statistic *x = a, *y = b;
    const struct order *order = context;
    if (order->of_counts && x->count != y->count)
        return x->count > y->count ? -1 : 1;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return -statistics_compare_tracebacks(order->frames, x, y);
}

static void sort_rows(struct statistics *self, const struct frames *frames) {
    struct order order = {frames, self->of_counts};
    if (self->count != 0)
        qsort_r(self->rows, self->count, sizeof *self->rows, descending, &order);
}

static void free_scratch(struct grouping *self) {
    free(self->last_trace);
    free(self->group);
    for (int key = 0; key <= KEYS_MAX; key++)
        free(self->memos[key].group);
}

static bool room_for_suppressed(struct statistics *self, const struct query *query) {
    self->suppression_count = query->suppressions != NULL ? suppressions_count(query->suppressions) : 0;
    if (self->suppression_count == 0)
        return true;
    self->suppressed_by = calloc(self->suppression_count, sizeof *self->suppressed_by);
    return self->suppressed_by != NULL;
}

bool statistics_of(struct traces *traces, const struct query *query, struct statistics *result,
                   struct error *error) {
    memset(result, 0, sizeof *result);
    if (query->cumulative && has_key(query->keys, KEY_TRACEBACK))
        return error_set(error, "--cumulative cannot be used with the key traceback: a stack is one row");
    struct grouping grouping = {
        .traces = traces, .frames = traces_frame_table(traces), .query = query, .result = result};
    result->of_counts = metric_is_of_counts(query->metric);
    result->groups = interner_new();
    bool done = result->groups != NULL && room_for_suppressed(result, query) && count_traces(&grouping);
    free_scratch(&grouping);
    if (done) {
        sort_rows(result, grouping.frames);
        return true;
    }
    statistics_free(result);
    return error_out_of_memory(error);
}

void statistics_free(struct statistics *self) {
    for (size_t i = 0; i < self->count; i++)
        free(self->rows[i].details);
    free(self->rows);
    free(self->suppressed_by);
    interner_free(self->groups);
    memset(self, 0, sizeof *self);
}
