/* options.h - command-line options from a table, which prints --help too. */
#ifndef HEAPTALLY_REPORT_OPTIONS_H
#define HEAPTALLY_REPORT_OPTIONS_H

#include "../source/error.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum option_kind {
    OPTION_FLAG,    /* value: bool * */
    OPTION_STRING,  /* value: const char ** */
    OPTION_NUMBER,  /* value: uint64_t *, from min to max */
    OPTION_BYTES,   /* value: uint64_t *, with a suffix K, M or G */
    OPTION_SIGNED,  /* value: int64_t *, of either sign */
    OPTION_CHOICE,  /* value: int *, the index in choices */
    OPTION_CHOICES, /* value: struct option_choices *, names with commas between, each at most once */
    OPTION_LIST,    /* value: struct option_list *, repeatable */
};

#define OPTION_CHOICES_MAX 12

struct option_choices {
    int at[OPTION_CHOICES_MAX];
    size_t count; /* 0: the option was not given */
};

struct option_list {
    const char **items; /* owned */
    size_t count;
};

struct option {
    const char *name; /* without dashes */
    char letter;      /* 0: none */
    enum option_kind kind;
    void *value;
    const char *argument; /* what --help calls it */
    const char *help;
    uint64_t min, max;
    const char *const *choices; /* null-terminated */
};

struct option_table {
    const char *command;
    const char *synopsis; /* what follows the command's name */
    const char *about;    /* a paragraph */
    const struct option *options;
    size_t count;
    bool stop_at_operand;     /* what follows the first operand is not ours */
    void (*notes)(FILE *out); /* what --help ends with; may be null */
};

/* For options_ready alone: how many operands there must be, and what to say otherwise. */
#define OPERANDS_SOME (-1) /* one or more */
struct operands_wanted {
    int count;
    const char *complaint; /* "needs one SOURCE", say */
};

enum options_result { OPTIONS_PARSED, OPTIONS_HELP, OPTIONS_WRONG };

/* Parses argv[1 .. argc). On OPTIONS_PARSED the operands are in argv[1 .. 1 + *operands), in their order, and
 * argv[1 + *operands] is null. OPTIONS_HELP: it has been printed to stdout. OPTIONS_WRONG: see the error. */
enum options_result options_parse(const struct option_table *table, int argc, char **argv, int *operands,
                                  struct error *error);

/* As options_parse, for commands that say how many operands they want. True: go on, they are in argv[1 ...].
 * False: the command is done, with *status: 0 after --help, else 2 with an error. */
bool options_ready(const struct option_table *table, struct operands_wanted wanted, int argc, char **argv,
                   int *status, struct error *error);

/* Parses "12", "4K", "256M", "1G". */
bool options_bytes(const char *text, uint64_t *bytes);

#endif
