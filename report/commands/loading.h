/* loading.h - options and the names of sources -> traces, and the query that the options ask for: what all
 * commands that make statistics begin with.
 *
 *     loading_begin -> loading_open, once or more -> statistics_of(loaded.traces, &loading.query, ...)
 *                   -> loading_close for each     -> loading_end
 */
#ifndef HEAPTALLY_REPORT_LOADING_H
#define HEAPTALLY_REPORT_LOADING_H

#include "analysis.h"
#include "blame_files.h"
#include "../source/open.h"
#include "../stats/statistics.h"

/* What the sources of one command have in common. */
struct loading {
    const struct analysis_options *options;
    struct query query; /* its filters and suppressions are owned */
    struct blame_files blame;
    struct symbols *symbols;
    struct frames *frames;
    struct builds *builds; /* null: sources are not compared */
};

struct loaded {
    struct source source;
    struct model *model;
    struct traces *traces;
};

/* Reads what the options name. loading_end must follow in any case. */
bool loading_begin(struct loading *self, const struct analysis_options *options, struct error *error);
void loading_end(struct loading *self);

/* Opens a source; a note about it goes to stderr. loading_close must follow if it is true. */
bool loading_open(const struct loading *self, struct loaded *loaded, const char *name, struct error *error);
void loading_close(struct loaded *loaded);

/* Tells on stderr of scopes or tags that the query asks for and the source has none of: all that it holds is
 * then in one row, or in none. */
void loading_note_unsaid(const struct loading *self, const struct loaded *loaded);

/* Makes the rows of several sources comparable, see builds.h, before statistics are made of any: either
 * loading_compare, of two that are open, or, of many, loading_know for each in their order, then
 * loading_match with the last one, and loading_use for each when it is opened. */
bool loading_compare(struct loading *self, struct loaded *old, struct loaded *new, struct error *error);
bool loading_know(struct loading *self, const struct tables *tables, struct error *error);
bool loading_match(struct loading *self, const struct tables *last, struct error *error);
bool loading_use(const struct loading *self, struct loaded *loaded, struct error *error);

#endif
