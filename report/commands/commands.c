/* commands.c - the table of commands, see commands.h. A new command is a line here and a file beside it.
 * Owns:    nothing.
 * Threads: any.  Signals: no.  Heap: no. */
#include "commands.h"

#include <stdio.h>
#include <string.h>

static const struct command *const all[] = {
    &command_run,      &command_ps,     &command_clean,  &command_snapshot, &command_top,
    &command_diff,     &command_info,   &command_import, &command_dump,     &command_blame,
    &command_annotate, &command_growth, &command_delta,  &command_baseline, NULL,
};

const struct command *const *commands_all(void) {
    return all;
}

static bool ambiguous(const char *name, struct error *error) {
    char list[256] = "";
    for (const struct command *const *at = all; *at != NULL; at++)
        if (strncmp((*at)->name, name, strlen(name)) == 0)
            snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", list[0] != '\0' ? ", " : "",
                     (*at)->name);
    return error_set(error, "'%s' could be %s", name, list);
}

const struct command *commands_find(const char *name, struct error *error) {
    const struct command *found = NULL;
    size_t count = 0;
    for (const struct command *const *at = all; *at != NULL; at++) {
        if (strcmp((*at)->name, name) == 0)
            return *at;
        if (name[0] != '\0' && strncmp((*at)->name, name, strlen(name)) == 0) {
            found = *at;
            count++;
        }
    }
    if (count == 1)
        return found;
    if (count > 1)
        ambiguous(name, error);
    else
        error_set(error, "no command '%s'; heaptally --help lists them", name);
    return NULL;
}
