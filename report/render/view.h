/* view.h - what a renderer is given: finished rows and totals. It knows nothing of where they come from. */
#ifndef HEAPTALLY_REPORT_VIEW_H
#define HEAPTALLY_REPORT_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum view_key {
    VIEW_END, /* of a list */
    VIEW_LINENO,
    VIEW_FILENAME,
    VIEW_FUNCTION,
    VIEW_MODULE,
    VIEW_TRACEBACK,
    VIEW_THREAD,
    VIEW_DOMAIN,
    VIEW_SIZE,
    VIEW_FREEING_THREAD,
    VIEW_KIND,
    VIEW_SCOPE,
    VIEW_TAG,
    VIEW_KEYS,
};

enum view_histogram_kind {
    VIEW_NO_HISTOGRAM,
    VIEW_SIZES,     /* bytes; count: of allocations; second: live blocks */
    VIEW_LIFETIMES, /* ns; count: of frees */
    VIEW_LATER,     /* later allocations; count: of frees */
    VIEW_AGES,      /* ns; count: live blocks; second: their bytes */
};

#define VIEW_BUCKETS_MAX 32

struct view_bucket {
    uint64_t from, below;
    bool open; /* below is void: there is no bound */
    int64_t count, second;
};

struct view_histogram {
    enum view_histogram_kind kind;
    struct view_bucket buckets[VIEW_BUCKETS_MAX];
    size_t count;
};

/* What HEAPTALLY_DETAILS counts. */
struct view_details {
    uint64_t temporaries, temporary_bytes;
    uint64_t reallocs, realloc_bytes;
    uint64_t moves, moved_bytes;              /* of these to another place, and what had to be copied */
    uint64_t grown_in_place, shrunk_in_place; /* of these */
    int64_t waste_bytes, peak_waste_bytes;
};

struct view_frame {
    const char *file;     /* null: not known */
    const char *function; /* null: not known */
    const char *module;   /* a path, a name in brackets, or null */
    const char *build;    /* of an address in the module: its build-id; else null */
    uint64_t offset;
    uint32_t line;   /* 0: not known */
    bool has_offset; /* an address in the module, since the line is not known */
    bool rebuilt;    /* the sources that are compared have different builds of it */
};

struct view_row {
    struct view_frame place;   /* what the row is about */
    struct view_frame *frames; /* newest first; one unless VIEW_TRACEBACK is a key */
    size_t frame_count;
    uint64_t numbers[VIEW_KEYS]; /* of VIEW_THREAD: its id; VIEW_DOMAIN; VIEW_SIZE: the power of two */
    const char *kind;            /* with VIEW_KIND: "malloc", "new" ... */
    const char *scope, *tag;     /* with VIEW_SCOPE: OUTER/INNER; with VIEW_TAG; null: none */
    int64_t size, count;
    int64_t size_diff, count_diff;
    double size_error, count_error;           /* standard errors of estimates, see view_is_estimate */
    double size_diff_error, count_diff_error; /* upper bounds of them */
    struct view_details details;              /* if view->details */
    struct view_histogram *histogram;         /* owned by the row; null: none */
};

/* Whether a key is one of view->keys. */
static inline bool view_has_key(const enum view_key *keys, enum view_key key) {
    while (*keys != VIEW_END && *keys != key)
        keys++;
    return *keys != VIEW_END;
}

struct view_totals {
    int64_t live_bytes, live_blocks, peak_bytes, peak_blocks;
    uint64_t allocated_bytes, allocations, frees;
    uint64_t
        sample_bytes; /* 0: exact; else the figures are estimates, one block of so many bytes was traced */
    struct {
        double live_bytes, live_blocks, peak_bytes, peak_blocks, allocated_bytes, allocations, frees;
    } errors; /* standard errors */
};

struct view_loss {
    const char *name;    /* as in JSON */
    const char *meaning; /* a sentence */
    uint64_t value;
};

/* What a domain is called. */
struct view_domain {
    uint64_t number;
    const char *name;
};

/* What one suppression left out. */
struct view_suppression {
    const char *line, *origin; /* "leak:TEMPLATE"; the file that it is from */
    int64_t size, count;
};

/* What suppressions left out. */
struct view_suppressed {
    bool any; /* there were some */
    int64_t size, count, size_diff;
    double size_error, count_error, size_diff_error; /* of estimates */
    const struct view_suppression *by;               /* those that left something out */
    size_t by_count;
};

/* A module of which the sources that are compared have different builds. */
struct view_rebuilt {
    const char *module, *build; /* the newer one; build-ids are hexadecimal, null: none */
    const char *old_module, *old_build;
    const char *compared_by; /* null: its rows stand for themselves */
    const char *reason;      /* what is missing for a better comparison; null: nothing */
};

struct view {
    enum view_key keys[VIEW_KEYS]; /* at least one; VIEW_END behind the last */
    const char *metric;            /* "live", "peak", "total" and so on */
    bool of_counts;                /* rows are ordered by count: how often is what matters */
    bool cumulative;
    bool difference;
    bool growth; /* a difference to the maximum before, of rows that are above it; there are no old totals */
    bool bare;   /* rows alone, one a line */
    bool python; /* text: what tracemalloc prints where that differs from what it documents */
    bool most_recent_first;
    int64_t limit; /* text: how many frames of a stack, the newest; of the oldest if negative */
    size_t asked;  /* rows asked for; 0: all */
    struct view_row *rows;
    size_t row_count;
    size_t other_count; /* rows that are not shown */
    int64_t other_size, other_size_diff;
    int64_t total_size, total_size_diff;
    struct view_suppressed suppressed;
    double other_size_error,
        other_size_diff_error; /* of estimates, as in rows; with cumulative upper bounds */
    double total_size_error, total_size_diff_error;
    struct view_totals totals, old_totals; /* old_totals: of a difference that is no growth */
    const struct view_loss *losses;        /* zero ones too */
    size_t loss_count;
    int64_t total_count;
    bool details;             /* rows and totals have them */
    uint64_t temporary_below; /* of details */
    struct view_details total_details;
    struct view_histogram histogram;    /* of all rows together, if its kind is any */
    const struct view_rebuilt *rebuilt; /* of differences */
    size_t rebuilt_count;
    struct view_domain *domains; /* those that have a name, by number */
    size_t domain_count;
};

/* Null: it has none. */
static inline const char *view_domain_name(const struct view *view, uint64_t number) {
    size_t low = 0, high = view->domain_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (view->domains[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < view->domain_count && view->domains[low].number == number ? view->domains[low].name : NULL;
}

/* Whether sizes and counts are estimates, which renderers must mark. */
static inline bool view_is_estimate(const struct view *view) {
    return view->totals.sample_bytes != 0 || view->old_totals.sample_bytes != 0;
}

/* Whether differences have errors of their own: of a maximum that was kept, none is known. */
static inline bool view_has_diff_errors(const struct view *view) {
    return view_is_estimate(view) && view->difference && !view->growth;
}

#endif
