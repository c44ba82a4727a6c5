/* filter.h - what a query leaves out. A filter is a record of a function and its argument. */
#ifndef HEAPTALLY_REPORT_FILTER_H
#define HEAPTALLY_REPORT_FILTER_H

#include "traces.h"

struct filter {
    /* Whether trace number `trace` stays. */
    bool (*accepts)(const void *argument, struct traces *traces, size_t trace);
    const void *argument;
};

/* Whether all of them accept a trace. */
bool filter_all(const struct filter *filters, size_t count, struct traces *traces, size_t trace);

#endif
