/* test_names.c - the small languages: file patterns, options, image names, log lines, /proc/PID/stat. */
#include "check.h"
#include "commands/options.h"
#include "run/session.h"
#include "run/target.h"
#include "source/directory.h"
#include "source/open.h"
#include "source/pattern.h"
#include "source/process.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void expand(const char *pattern, const char *expected) {
    const struct pattern_values values = {"/usr/bin/py thon", 12, 3, "a/b\n"};
    char path[64];
    assert_true(pattern_check(pattern, NULL));
    assert_true(pattern_expand(pattern, &values, path, sizeof path));
    assert_string_equal(path, expected);
}

static void patterns_expand(void **state) {
    (void)state;
    expand(PATTERN_DEFAULT, "heaptally.py thon.12.3.hts");
    expand("/x/%p-%%-%l.hts", "/x/12-%-a_b_.hts");
    expand("100%%n", "100%n");
    assert_true(pattern_has_number("a%nb"));
    assert_false(pattern_has_number("100%%n"));
    assert_false(pattern_check("a%x", NULL));
    assert_false(pattern_check("a%", NULL));
    assert_false(pattern_check("", NULL));
    assert_false(pattern_check("dir/", NULL));
    char small[8];
    const struct pattern_values values = {"/usr/bin/python", 12, 3, ""};
    assert_false(pattern_expand("%e%e", &values, small, sizeof small));
}

static void image_names_parse(void **state) {
    (void)state;
    struct image_entry entry;
    assert_true(directory_parse_name("12.345.6.htimage", &entry));
    assert_int_equal(entry.pid, 12);
    assert_int_equal(entry.start_ticks, 345);
    assert_int_equal(entry.exec_index, 6);
    static const char *const wrong[] = {"",
                                        "12.345.6",
                                        "12.345.htimage",
                                        "a.1.2.htimage",
                                        "1.2.3.htimage.x",
                                        "-1.2.3.htimage",
                                        "99999999999.2.3.htimage",
                                        "1..3.htimage",
                                        " 1.2.3.htimage"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(directory_parse_name(wrong[i], &entry));
}

static void log_lines_parse(void **state) {
    (void)state;
    struct session_event event;
    assert_true(session_parse("12 3 1 /tmp/a file.hts", &event));
    assert_int_equal(event.pid, 12);
    assert_int_equal(event.number, 3);
    assert_int_equal(event.trigger, 1);
    assert_string_equal(event.path, "/tmp/a file.hts");
    assert_false(session_parse("12 3 /tmp/a", &event));
    assert_false(session_parse("12 3 1 relative", &event));
    assert_false(session_parse("", &event));
}

static void stat_lines_parse(void **state) {
    (void)state;
    uint64_t ticks;
    bool alive;
    assert_true(process_parse_stat("7 (a) b) (c) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 9 9\n",
                                   &ticks, &alive));
    assert_int_equal(ticks, 98765);
    assert_true(alive);
    assert_true(process_parse_stat("7 (z) Z 1 7 7 0 -1 4 1 2 3 4 5 6 7 8 20 0 0 0 55 9\n", &ticks, &alive));
    assert_false(alive);
    /* the leader has ended, other threads have not */
    assert_true(process_parse_stat("7 (z) Z 1 7 7 0 -1 4 1 2 3 4 5 6 7 8 20 0 3 0 55 9\n", &ticks, &alive));
    assert_true(alive);
    assert_false(process_parse_stat("7 (z) S 1 2", &ticks, &alive));
    assert_false(process_parse_stat("nothing", &ticks, &alive));
    assert_true(process_alive((uint32_t)getpid(), &ticks));
}

static void pids_are_digits(void **state) {
    (void)state;
    uint32_t pid;
    assert_true(source_is_pid("123", &pid));
    assert_int_equal(pid, 123);
    assert_false(source_is_pid("./123", &pid));
    assert_false(source_is_pid("0", &pid));
    assert_false(source_is_pid("12a", &pid));
    assert_false(source_is_pid("99999999999999", &pid));
}

/* ---- options ---- */

static struct {
    bool flag;
    const char *string;
    uint64_t number, bytes;
    int choice;
    struct option_list list;
} got;

static const char *const colours[] = {"red", "green", NULL};
static const struct option rows[] = {
    {.name = "flag", .letter = 'x', .kind = OPTION_FLAG, .value = &got.flag, .help = ""},
    {.name = "string",
     .letter = 's',
     .kind = OPTION_STRING,
     .value = &got.string,
     .argument = "S",
     .help = ""},
    {.name = "number",
     .letter = 'n',
     .kind = OPTION_NUMBER,
     .value = &got.number,
     .argument = "N",
     .min = 1,
     .max = 9,
     .help = ""},
    {.name = "bytes", .kind = OPTION_BYTES, .value = &got.bytes, .argument = "B", .help = ""},
    {.name = "choice",
     .kind = OPTION_CHOICE,
     .value = &got.choice,
     .argument = "C",
     .choices = colours,
     .help = ""},
    {.name = "list", .kind = OPTION_LIST, .value = &got.list, .argument = "L", .help = ""},
};

static enum options_result parse(bool stop, int *operands, struct error *error, char **argv) {
    const struct option_table table = {.command = "t",
                                       .synopsis = "",
                                       .about = "",
                                       .options = rows,
                                       .count = sizeof rows / sizeof *rows,
                                       .stop_at_operand = stop};
    int argc = 0;
    while (argv[argc] != NULL)
        argc++;
    free(got.list.items);
    memset(&got, 0, sizeof got);
    return options_parse(&table, argc, argv, operands, error);
}

#define PARSE(stop, operands, error, ...) parse(stop, operands, error, (char *[]){"t", __VA_ARGS__, NULL})

static void options_come_in_all_forms(void **state) {
    (void)state;
    int operands;
    char *argv[] = {"t", "a",        "-xn5",   "-s", "-v", "--bytes=4K", "--choice", "green",
                    "b", "--list=1", "--list", "2",  "--", "-x",         NULL};
    assert_int_equal(parse(false, &operands, NULL, argv), OPTIONS_PARSED);
    assert_int_equal(operands, 3);
    assert_string_equal(argv[1], "a");
    assert_string_equal(argv[2], "b");
    assert_string_equal(argv[3], "-x");
    assert_null(argv[4]);
    assert_true(got.flag);
    assert_int_equal(got.number, 5);
    assert_string_equal(got.string, "-v");
    assert_int_equal(got.bytes, 4096);
    assert_int_equal(got.choice, 1);
    assert_int_equal(got.list.count, 2);
    assert_string_equal(got.list.items[1], "2");
}

static void options_may_stop_at_the_program(void **state) {
    (void)state;
    int operands;
    char *argv[] = {"t", "-x", "program", "-n", "oops", "--", NULL};
    assert_int_equal(parse(true, &operands, NULL, argv), OPTIONS_PARSED);
    assert_int_equal(operands, 4);
    assert_string_equal(argv[2], "-n");
    assert_string_equal(argv[4], "--");
    char *dashed[] = {"t", "--", "-program", NULL};
    assert_int_equal(parse(true, &operands, NULL, dashed), OPTIONS_PARSED);
    assert_int_equal(operands, 1);
    assert_string_equal(dashed[1], "-program");
}

static void wrong_options_are_named(void **state) {
    (void)state;
    int operands;
    struct error error;
    assert_int_equal(PARSE(false, &operands, &error, "--nope"), OPTIONS_WRONG);
    assert_string_equal(error.text, "t: unknown option --nope (heaptally t --help lists them)");
    assert_int_equal(PARSE(false, &operands, &error, "-n"), OPTIONS_WRONG);
    assert_string_equal(error.text, "t: --number needs N");
    assert_int_equal(PARSE(false, &operands, &error, "-n10"), OPTIONS_WRONG);
    assert_string_equal(error.text, "t: --number 10: it must be a whole number from 1 to 9");
    assert_int_equal(PARSE(false, &operands, &error, "--number=-1"), OPTIONS_WRONG);
    assert_int_equal(PARSE(false, &operands, &error, "--flag=1"), OPTIONS_WRONG);
    assert_int_equal(PARSE(false, &operands, &error, "--bytes=4X"), OPTIONS_WRONG);
    assert_int_equal(PARSE(false, &operands, &error, "--bytes=99999999999999G"), OPTIONS_WRONG);
    assert_int_equal(PARSE(false, &operands, &error, "--choice=blue"), OPTIONS_WRONG);
    assert_string_equal(error.text, "t: --choice blue: it must be one of red, green");
    free(got.list.items);
    got.list.items = NULL;
}

/* ---- programs ---- */

static void programs_are_found_and_refused(void **state) {
    (void)state;
    char path[PATH_MAX];
    struct error error;
    assert_int_equal(target_find("sh", path, &error), 0);
    assert_int_equal(target_check(path, &error), 0);
    assert_int_equal(target_find("no-such-program-here", path, &error), TARGET_NOT_FOUND);
    assert_int_equal(target_find("/etc/passwd", path, &error), TARGET_NOT_EXECUTABLE);
    assert_int_equal(target_find("/", path, &error), TARGET_NOT_EXECUTABLE);
    /* the loader itself is static */
#if !defined(__SANITIZE_ADDRESS__) /* then this very program is one that is refused */
    assert_int_equal(target_check("/proc/self/exe", &error), 0);
#else
    assert_int_equal(target_check("/proc/self/exe", &error), TARGET_NOT_EXECUTABLE);
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_expand),
        cmocka_unit_test(image_names_parse),
        cmocka_unit_test(log_lines_parse),
        cmocka_unit_test(stat_lines_parse),
        cmocka_unit_test(pids_are_digits),
        cmocka_unit_test(options_come_in_all_forms),
        cmocka_unit_test(options_may_stop_at_the_program),
        cmocka_unit_test(wrong_options_are_named),
        cmocka_unit_test(programs_are_found_and_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
