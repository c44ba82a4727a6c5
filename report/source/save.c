/* save.c - see save.h.
 * Owns:    nothing beyond a call.
 * Threads: any.  Signals: no.  Heap: yes. */
#include "save.h"
#include "pattern.h"

#include <stdio.h>
#include <string.h>

#define TRIES 10000u

/* The name of the try-th attempt, and the snapshot's number in it. */
static bool name_try(const struct tables *tables, const struct save_options *options, uint32_t try,
                     char path[PATH_MAX], uint32_t *number) {
    char name[PATH_MAX], suffix[16] = "";
    bool counts = pattern_has_number(options->pattern);
    *number = tables->header.snapshots + 1 + (counts ? try : 0);
    struct pattern_values values = {tables->header.program, tables->header.pid, *number, ""};
    if (!pattern_expand(options->pattern, &values, name, sizeof name))
        return false;
    if (!counts && try != 0)
        snprintf(suffix, sizeof suffix, ".%u", (unsigned)try);
    bool relative = name[0] != '/' && options->directory != NULL;
    int length = snprintf(path, PATH_MAX, "%s%s%s%s", relative ? options->directory : "", relative ? "/" : "",
                          name, suffix);
    return length > 0 && length < PATH_MAX;
}

bool save_snapshot(const struct tables *tables, const struct save_options *options, char path[PATH_MAX],
                   struct error *error) {
    struct snapshot_options how = {
        .trigger = options->trigger, .compress = true, .overwrite = options->overwrite};
    struct error why = {""};
    for (uint32_t try = 0; try < TRIES; try++) {
        bool exists;
        if (!name_try(tables, options, try, path, &how.number))
            return error_set(error, "%s: the name becomes too long", options->pattern);
        if (snapshot_write(tables, path, &how, &exists, &why))
            return true;
        if (!exists)
            break;
    }
    return error_set(error, "%s", why.text);
}
