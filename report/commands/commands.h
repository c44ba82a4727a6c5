/* commands.h - what a sub-command is: a record in a table, a function in a file of its own. */
#ifndef HEAPTALLY_REPORT_COMMANDS_H
#define HEAPTALLY_REPORT_COMMANDS_H

#include "../source/error.h"

#define EXIT_FAILED 2 /* wrong usage, unreadable source: the message is in the error */

struct command {
    const char *name;
    const char *summary; /* half a line */
    /* argv[0] is the command's name. Returns the exit status; EXIT_FAILED with an error text makes main
     * print it. */
    int (*run)(int argc, char **argv, struct error *error);
};

extern const struct command command_run, command_ps, command_clean, command_snapshot, command_top,
    command_diff, command_info, command_import, command_dump, command_blame, command_annotate, command_growth,
    command_delta, command_baseline;

/* All commands, null-terminated. */
const struct command *const *commands_all(void);

/* The command that `name` names or is an unambiguous beginning of; null with the error. */
const struct command *commands_find(const char *name, struct error *error);

#endif
