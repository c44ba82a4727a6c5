/* make_histogram.h - details -> histograms and figures of a view. */
#ifndef HEAPTALLY_REPORT_MAKE_HISTOGRAM_H
#define HEAPTALLY_REPORT_MAKE_HISTOGRAM_H

#include "../render/view.h"
#include "../source/details.h"

/* now_ns: for ages, as model.h has it. */
struct view_histogram make_histogram(const struct ht_detail *details, enum view_histogram_kind kind,
                                     uint64_t now_ns);

struct view_details make_view_details(const struct ht_detail *details);

#endif
