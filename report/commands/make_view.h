/* make_view.h - statistics -> the rows that a renderer is given. */
#ifndef HEAPTALLY_REPORT_MAKE_VIEW_H
#define HEAPTALLY_REPORT_MAKE_VIEW_H

#include "../render/view.h"
#include "../source/losses.h"
#include "../source/model.h"
#include "../stats/statistics.h"

/* Fills view->rows with the first view->asked rows (0: all), and `other` with the sum of the rest. The rows
 * borrow strings of `frames`. False when out of memory. */
bool make_view_rows(struct view *view, const struct statistics *statistics, const struct frames *frames);

/* Gives the rows histograms of the kind that view->histogram has; ages are counted back from now_ns. False
 * when out of memory. */
bool make_view_histograms(struct view *view, const struct statistics *statistics, uint64_t now_ns);

/* Adds the names that domains have in a snapshot, and not yet in the view; borrows them. Short of memory,
 * domains stay numbers. */
void make_view_domains(struct view *view, const struct tables *tables);

/* Frees what the above have made. */
void make_view_free(struct view *view);

/* What suppressions left out, in sum. */
struct view_suppressed make_view_suppressed(const struct statistics *statistics);

/* Fills `by` of `suppressed`. Returns an array to be freed, which borrows from `suppressions`; null when out
 * of memory. */
struct view_suppression *make_view_suppressions(struct view_suppressed *suppressed,
                                                const struct statistics *statistics,
                                                const struct suppressions *suppressions);

struct view_totals make_view_totals(const struct model *model);

/* Fills `losses`; returns LOSSES_COUNT. */
size_t make_view_losses(const struct tables *tables, struct view_loss losses[LOSSES_COUNT]);

#endif
