/* options.c - see options.h.
 * Owns:    the items of lists.
 * Threads: any.  Signals: no.  Heap: yes (lists). */
#define _GNU_SOURCE
#include "options.h"

#include "commands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct parse {
    const struct option_table *table;
    char **argv;
    int argc, at; /* the argument being read */
    struct error *error;
};

/* ---- values ---- */

static bool parse_number(const char *text, uint64_t *value) {
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}

bool options_bytes(const char *text, uint64_t *bytes) {
    static const char suffixes[] = "KMG";
    char digits[32];
    size_t length = strspn(text, "0123456789");
    if (length == 0 || length >= sizeof digits || (text[length] != '\0' && text[length + 1] != '\0'))
        return false;
    memcpy(digits, text, length);
    digits[length] = '\0';
    if (!parse_number(digits, bytes))
        return false;
    if (text[length] == '\0')
        return true;
    const char *suffix = strchr(suffixes, text[length] & ~0x20);
    if (suffix == NULL)
        return false;
    unsigned shift = 10 * (unsigned)(suffix - suffixes + 1);
    if (*bytes > UINT64_MAX >> shift)
        return false;
    *bytes <<= shift;
    return true;
}

/* The index of the choice text[0..length), -1 with the error. */
static int find_choice(const struct parse *parse, const struct option *option, const char *text,
                       size_t length) {
    char list[256] = "";
    for (int i = 0; option->choices[i] != NULL; i++) {
        if (strncmp(option->choices[i], text, length) == 0 && option->choices[i][length] == '\0')
            return i;
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i != 0 ? ", " : "",
                 option->choices[i]);
    }
    error_set(parse->error, "%s: --%s %.*s: it must be one of %s", parse->table->command, option->name,
              (int)length, text, list);
    return -1;
}

static bool set_choice(const struct parse *parse, const struct option *option, const char *text) {
    int choice = find_choice(parse, option, text, strlen(text));
    if (choice >= 0)
        *(int *)option->value = choice;
    return choice >= 0;
}

static bool add_choice(const struct parse *parse, const struct option *option, int choice) {
    struct option_choices *choices = option->value;
    for (size_t i = 0; i < choices->count; i++)
        if (choices->at[i] == choice)
            return error_set(parse->error, "%s: --%s: %s is there twice", parse->table->command, option->name,
                             option->choices[choice]);
    choices->at[choices->count++] = choice;
    return true;
}

/* The last of several such options counts, as of every option that is no list. */
static bool set_choices(const struct parse *parse, const struct option *option, const char *text) {
    ((struct option_choices *)option->value)->count = 0;
    for (;;) {
        size_t length = strcspn(text, ",");
        int choice = find_choice(parse, option, text, length);
        if (choice < 0 || !add_choice(parse, option, choice))
            return false;
        if (text[length] == '\0')
            return true;
        text += length + 1;
    }
}

static bool append(const struct parse *parse, struct option_list *list, const char *text) {
    const char **more = realloc(list->items, (list->count + 1) * sizeof *more);
    if (more == NULL)
        return error_out_of_memory(parse->error);
    more[list->count++] = text;
    list->items = more;
    return true;
}

static bool set_number(const struct parse *parse, const struct option *option, const char *text) {
    uint64_t value;
    if (!parse_number(text, &value) || value < option->min || value > option->max)
        return error_set(parse->error, "%s: --%s %s: it must be a whole number from %" PRIu64 " to %" PRIu64,
                         parse->table->command, option->name, text, option->min, option->max);
    *(uint64_t *)option->value = value;
    return true;
}

static bool set_signed(const struct parse *parse, const struct option *option, const char *text) {
    uint64_t value;
    bool negative = text[0] == '-';
    if (!parse_number(text + negative, &value) || value > INT64_MAX)
        return error_set(parse->error, "%s: --%s %s: it must be a whole number", parse->table->command,
                         option->name, text);
    *(int64_t *)option->value = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

static bool set_value(const struct parse *parse, const struct option *option, const char *text) {
    switch (option->kind) {
    case OPTION_FLAG: *(bool *)option->value = true; return true;
    case OPTION_STRING: *(const char **)option->value = text; return true;
    case OPTION_NUMBER: return set_number(parse, option, text);
    case OPTION_SIGNED: return set_signed(parse, option, text);
    case OPTION_CHOICE: return set_choice(parse, option, text);
    case OPTION_CHOICES: return set_choices(parse, option, text);
    case OPTION_LIST: return append(parse, option->value, text);
    case OPTION_BYTES: break;
    }
    if (options_bytes(text, option->value))
        return true;
    return error_set(parse->error, "%s: --%s %s: it must be a number of bytes, with or without K, M or G",
                     parse->table->command, option->name, text);
}

/* ---- help ---- */

static void print_option(FILE *out, const struct option *option) {
    char left[64];
    const char *argument = option->argument != NULL ? option->argument : "";
    const char *blank = option->argument != NULL ? " " : "";
    if (option->letter != '\0')
        snprintf(left, sizeof left, "-%c, --%s%s%s", option->letter, option->name, blank, argument);
    else
        snprintf(left, sizeof left, "    --%s%s%s", option->name, blank, argument);
    fprintf(out, "  %-28s %s\n", left, option->help);
}

static void print_help(FILE *out, const struct option_table *table) {
    fprintf(out, "usage: heaptally %s %s\n\n%s\n\noptions:\n", table->command, table->synopsis, table->about);
    for (size_t i = 0; i < table->count; i++)
        print_option(out, &table->options[i]);
    fprintf(out, "  %-28s %s\n", "-h, --help", "this text");
    if (table->notes != NULL)
        table->notes(out);
}

/* ---- parsing ---- */

static bool unknown(const struct parse *parse, const char *argument) {
    return error_set(parse->error, "%s: unknown option %s (heaptally %s --help lists them)",
                     parse->table->command, argument, parse->table->command);
}

/* The next argument as the value of an option. */
static bool take_next(struct parse *parse, const struct option *option) {
    if (parse->at + 1 >= parse->argc)
        return error_set(parse->error, "%s: --%s needs %s", parse->table->command, option->name,
                         option->argument);
    return set_value(parse, option, parse->argv[++parse->at]);
}

static bool parse_long(struct parse *parse, const char *argument) {
    size_t length = strcspn(argument + 2, "=");
    const char *value = argument[2 + length] == '=' ? argument + 3 + length : NULL;
    for (size_t i = 0; i < parse->table->count; i++) {
        const struct option *option = &parse->table->options[i];
        if (strncmp(option->name, argument + 2, length) != 0 || option->name[length] != '\0')
            continue;
        if (option->kind == OPTION_FLAG && value != NULL)
            return error_set(parse->error, "%s: --%s takes no value", parse->table->command, option->name);
        if (option->kind == OPTION_FLAG || value != NULL)
            return set_value(parse, option, value);
        return take_next(parse, option);
    }
    return unknown(parse, argument);
}

static const struct option *by_letter(const struct parse *parse, char letter) {
    for (size_t i = 0; i < parse->table->count; i++)
        if (parse->table->options[i].letter == letter)
            return &parse->table->options[i];
    return NULL;
}

/* "-n5", "-n 5", "-xn5" */
static bool parse_letters(struct parse *parse, const char *argument) {
    for (const char *at = argument + 1; *at != '\0'; at++) {
        const struct option *option = by_letter(parse, *at);
        if (option == NULL)
            return unknown(parse, argument);
        if (option->kind != OPTION_FLAG)
            return at[1] != '\0' ? set_value(parse, option, at + 1) : take_next(parse, option);
        set_value(parse, option, NULL);
    }
    return true;
}

static bool is_help(const char *argument) {
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

/* Moves the rest, from `at` on, behind the operands found so far. */
static int keep_rest(const struct parse *parse, int at, int operands) {
    for (; at < parse->argc; at++)
        parse->argv[1 + operands++] = parse->argv[at];
    return operands;
}

enum options_result options_parse(const struct option_table *table, int argc, char **argv, int *operands,
                                  struct error *error) {
    struct parse parse = {table, argv, argc, 1, error};
    *operands = 0;
    for (; parse.at < argc; parse.at++) {
        char *argument = argv[parse.at];
        bool option = argument[0] == '-' && argument[1] != '\0';
        if (option && strcmp(argument, "--") == 0) {
            *operands = keep_rest(&parse, parse.at + 1, *operands);
            break;
        }
        if (option && is_help(argument)) {
            print_help(stdout, table);
            return OPTIONS_HELP;
        }
        if (!option && table->stop_at_operand) {
            *operands = keep_rest(&parse, parse.at, *operands);
            break;
        }
        if (!option)
            argv[1 + (*operands)++] = argument;
        else if (!(argument[1] == '-' ? parse_long(&parse, argument) : parse_letters(&parse, argument)))
            return OPTIONS_WRONG;
    }
    argv[1 + *operands] = NULL;
    return OPTIONS_PARSED;
}

bool options_ready(const struct option_table *table, struct operands_wanted wanted, int argc, char **argv,
                   int *status, struct error *error) {
    int operands;
    enum options_result parsed = options_parse(table, argc, argv, &operands, error);
    bool some = wanted.count == OPERANDS_SOME;
    *status = parsed == OPTIONS_HELP ? 0 : EXIT_FAILED;
    if (parsed != OPTIONS_PARSED || (some ? operands > 0 : operands == wanted.count))
        return parsed == OPTIONS_PARSED;
    return error_set(error, !some && operands > wanted.count ? "%s: %s, but was given %s" : "%s: %s",
                     table->command, wanted.complaint, some ? NULL : argv[1 + wanted.count]);
}
