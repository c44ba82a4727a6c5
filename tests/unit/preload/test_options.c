/* test_options.c - every variable: what it may be, what it may not, and what is then said. */
#define _GNU_SOURCE
#include "support.h"

#include "platform/options.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char message[2048];

static bool read_one(const char *setting) {
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", setting);
    char *environment[] = {(char[]){"PATH=/bin"}, copy, NULL};
    message[0] = '\0';
    return options_read(environment, message, sizeof message);
}

static void accept(const char *setting) {
    if (!read_one(setting))
        fail_msg("refused: %s", message);
}

/* The message is one line that names the variable, the value and what is allowed. */
static void refuse(const char *setting, const char *allowed) {
    if (read_one(setting))
        fail_msg("accepted: %s", setting);
    assert_memory_equal(message, "heaptally: ", 11);
    assert_non_null(strstr(message, setting));
    assert_non_null(strstr(message, "it must be "));
    assert_non_null(strstr(message, allowed));
    assert_int_equal(message[strlen(message) - 1], '\n');
}

static void has_defaults(void **state) {
    (void)state;
    char *none[] = {NULL}, expected[HT_PATH_BYTES * 2], here[HT_PATH_BYTES];
    assert_true(options_read(none, message, sizeof message));
    assert_int_equal(options.nframe, 128);
    assert_int_equal(options.signal, SIGUSR2);
    assert_false(options.overwrite);
    assert_true(options.follow);
    assert_false(options.mappings);
    assert_int_equal(options.memory_bytes, 256u << 20);
    assert_int_equal(options.session, 0);
    assert_false(options.directory_given);
    assert_non_null(getcwd(here, sizeof here));
    snprintf(expected, sizeof expected, "%s/heaptally.%%e.%%p.%%n.hts", here);
    assert_string_equal(options.out, expected);
    snprintf(expected, sizeof expected, "heaptally-%u", (unsigned)geteuid());
    assert_non_null(strstr(options.directory, expected));
    assert_true(options_read(NULL, message, sizeof message));
}

static void reads_directory(void **state) {
    (void)state;
    char here[HT_PATH_BYTES], expected[HT_PATH_BYTES * 2];
    accept("HEAPTALLY_DIR=/some/where");
    assert_string_equal(options.directory, "/some/where");
    assert_true(options.directory_given);
    accept("HEAPTALLY_DIR=beside");
    assert_non_null(getcwd(here, sizeof here));
    snprintf(expected, sizeof expected, "%s/beside", here);
    assert_string_equal(options.directory, expected);
    refuse("HEAPTALLY_DIR=", "a directory");
    refuse("HEAPTALLY_DIR=/two\nlines", "one line");
    char longest[HT_PATH_BYTES + 64];
    memcpy(longest, "HEAPTALLY_DIR=/", 15);
    memset(longest + 15, 'd', HT_PATH_BYTES - 2);
    longest[14 + HT_PATH_BYTES - 1] = '\0';
    accept(longest);
    memcpy(longest + 14 + HT_PATH_BYTES - 1, "d", 2);
    refuse(longest, "1023 bytes");
}

static void reads_out(void **state) {
    (void)state;
    accept("HEAPTALLY_OUT=/tmp/%e.%p.%n.%l.100%%");
    assert_string_equal(options.out, "/tmp/%e.%p.%n.%l.100%%");
    refuse("HEAPTALLY_OUT=", "a file name");
    refuse("HEAPTALLY_OUT=/tmp/", "a file name");
    refuse("HEAPTALLY_OUT=/tmp/%q", "%");
    refuse("HEAPTALLY_OUT=/tmp/x%", "%");
    refuse("HEAPTALLY_OUT=/tmp/%%%", "%");
}

/* A % in the name of the directory that we are in is a name, not a pattern. */
static void escapes_the_working_directory(void **state) {
    (void)state;
    char here[HT_PATH_BYTES], expected[HT_PATH_BYTES * 2], *none[] = {NULL};
    char odd[] = "/tmp/heaptally-100%p%-XXXXXX", escaped[] = "/tmp/heaptally-100%%p%%-XXXXXX";
    assert_non_null(getcwd(here, sizeof here));
    assert_non_null(mkdtemp(odd));
    memcpy(escaped + strlen(escaped) - 6, odd + strlen(odd) - 6, 6);
    assert_int_equal(chdir(odd), 0);
    accept("HEAPTALLY_OUT=x.%n");
    snprintf(expected, sizeof expected, "%s/x.%%n", escaped);
    assert_string_equal(options.out, expected);
    assert_true(options_read(none, message, sizeof message));
    snprintf(expected, sizeof expected, "%s/heaptally.%%e.%%p.%%n.hts", escaped);
    assert_string_equal(options.out, expected);
    assert_int_equal(chdir(here), 0);
    rmdir(odd);
}

static void reads_nframe(void **state) {
    (void)state;
    accept("HEAPTALLY_NFRAME=1");
    assert_int_equal(options.nframe, 1);
    accept("HEAPTALLY_NFRAME=65535");
    assert_int_equal(options.nframe, 65535);
    static const char *const bad[] = {"0", "65536", "", "x", "-1", "12 ", "1e3", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char setting[64];
        snprintf(setting, sizeof setting, "HEAPTALLY_NFRAME=%s", bad[i]);
        refuse(setting, "1 to 65535");
    }
}

static void reads_signal(void **state) {
    (void)state;
    static const struct {
        const char *value;
        int number;
    } good[] = {{"SIGUSR1", SIGUSR1}, {"USR2", SIGUSR2},      {"10", 10}, {"0", 0}, {"none", 0},
                {"64", 64},           {"SIGWINCH", SIGWINCH}, {"34", 34}};
    static const char *const bad[] = {"",   "KILL", "SIGKILL", "9",  "19", "11", "7",   "65",
                                      "32", "33",   "usr2",    "-1", "6",  "5",  "SIG", "4294967306"};
    char setting[64];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(setting, sizeof setting, "HEAPTALLY_SIGNAL=%s", good[i].value);
        accept(setting);
        assert_int_equal(options.signal, good[i].number);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(setting, sizeof setting, "HEAPTALLY_SIGNAL=%s", bad[i]);
        refuse(setting, "a signal");
    }
}

static void reads_flags(void **state) {
    (void)state;
    accept("HEAPTALLY_OVERWRITE=1");
    assert_true(options.overwrite);
    accept("HEAPTALLY_OVERWRITE=0");
    assert_false(options.overwrite);
    accept("HEAPTALLY_FOLLOW=0");
    assert_false(options.follow);
    accept("HEAPTALLY_FOLLOW=1");
    assert_true(options.follow);
    accept("HEAPTALLY_MMAP=1");
    assert_true(options.mappings);
    accept("HEAPTALLY_MMAP=0");
    assert_false(options.mappings);
    static const char *const bad[] = {"", "2", "yes", "01", "1 "};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char setting[64];
        snprintf(setting, sizeof setting, "HEAPTALLY_OVERWRITE=%s", bad[i]);
        refuse(setting, "0 or 1");
        snprintf(setting, sizeof setting, "HEAPTALLY_FOLLOW=%s", bad[i]);
        refuse(setting, "0 or 1");
    }
}

static void reads_memory(void **state) {
    (void)state;
    static const struct {
        const char *value;
        uint64_t bytes;
    } good[] = {{"1M", 1u << 20},          {"1048576", 1u << 20},       {"1024K", 1u << 20}, {"3m", 3u << 20},
                {"2G", (uint64_t)2 << 30}, {"64g", (uint64_t)64 << 30}, {"1049600", 1049600}};
    static const char *const bad[] = {"",
                                      "0",
                                      "1",
                                      "1023K",
                                      "65G",
                                      "M",
                                      "1MB",
                                      "1T",
                                      "-1M",
                                      "1 M",
                                      "18446744073709551615K",
                                      "17179869185G"};
    char setting[64];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(setting, sizeof setting, "HEAPTALLY_MEMORY=%s", good[i].value);
        accept(setting);
        assert_true(options.memory_bytes == good[i].bytes);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(setting, sizeof setting, "HEAPTALLY_MEMORY=%s", bad[i]);
        refuse(setting, "1M to 64G");
    }
}

static void reads_unwinder_and_session(void **state) {
    (void)state;
    accept("HEAPTALLY_UNWINDER=gcc");
    assert_int_equal(options.unwinder, UNWINDER_GCC);
    char *none[] = {NULL};
    assert_true(options_read(none, message, sizeof message));
    assert_int_equal(options.unwinder, UNWINDER_DEFAULT);
    accept("HEAPTALLY_UNWINDER=libunwind");
    assert_int_equal(options.unwinder, UNWINDER_LIBUNWIND);
    refuse("HEAPTALLY_UNWINDER=", "libunwind");
    refuse("HEAPTALLY_UNWINDER=GCC", "libunwind");
    accept("HEAPTALLY_SESSION=12345678901");
    assert_true(options.session == 12345678901u);
    refuse("HEAPTALLY_SESSION=", "a whole number");
    refuse("HEAPTALLY_SESSION=x", "a whole number");
}

static void ignores_other_names(void **state) {
    (void)state;
    accept("HEAPTALLY_NFRAMES=junk");
    accept("XHEAPTALLY_NFRAME=junk");
    accept("HEAPTALLY_NFRAME");
    assert_int_equal(options.nframe, 128);
}

static void cuts_long_messages(void **state) {
    (void)state;
    char small[32], *environment[] = {(char[]){"HEAPTALLY_NFRAME=nonsense"}, NULL};
    memset(small, '#', sizeof small);
    assert_false(options_read(environment, small, 20));
    assert_int_equal(strlen(small), 19);
    assert_int_equal(small[20], '#');
}

static void unfollows(void **state) {
    (void)state;
    static const struct {
        const char *before, *after;
    } cases[] = {
        {"LD_PRELOAD=/a/libheaptally.so", "LD_PRELOAD="},
        {"LD_PRELOAD=libheaptally.so", "LD_PRELOAD="},
        {"LD_PRELOAD=/x.so:/a/libheaptally.so", "LD_PRELOAD=/x.so"},
        {"LD_PRELOAD=/a/libheaptally.so:/x.so", "LD_PRELOAD=/x.so"},
        {"LD_PRELOAD=/x.so /a/libheaptally.so /y.so", "LD_PRELOAD=/x.so:/y.so"},
        {"LD_PRELOAD=:/x.so::", "LD_PRELOAD=/x.so"},
        {"LD_PRELOAD=/x.so", "LD_PRELOAD=/x.so"},
        {"LD_PRELOAD=", "LD_PRELOAD="},
        {"LD_PRELOADED=/a/libheaptally.so", "LD_PRELOADED=/a/libheaptally.so"},
        {"OTHER=/a/libheaptally.so", "OTHER=/a/libheaptally.so"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char entry[128];
        snprintf(entry, sizeof entry, "%s", cases[i].before);
        char *environment[] = {(char[]){"A=1"}, entry, NULL};
        options_unfollow(environment, "libheaptally.so");
        assert_string_equal(entry, cases[i].after);
        assert_ptr_equal(environment[1], entry);
    }
    options_unfollow(NULL, "libheaptally.so");
}

static void reads_details(void **state) {
    (void)state;
    accept("PATH=/bin");
    assert_false(options.details);
    assert_int_equal(options.temporary_below, 1);
    accept("HEAPTALLY_DETAILS=1");
    assert_true(options.details);
    accept("HEAPTALLY_TEMPORARY=4294967295");
    assert_int_equal(options.temporary_below, UINT32_MAX);
    refuse("HEAPTALLY_DETAILS=2", "0 or 1");
    refuse("HEAPTALLY_DETAILS=", "0 or 1");
    refuse("HEAPTALLY_TEMPORARY=0", "from 1 to");
    refuse("HEAPTALLY_TEMPORARY=4294967296", "from 1 to");
    refuse("HEAPTALLY_TEMPORARY=-1", "from 1 to");
}

static void details_are_not_sampled(void **state) {
    (void)state;
    char *both[] = {(char[]){"HEAPTALLY_DETAILS=1"}, (char[]){"HEAPTALLY_SAMPLE=512K"}, NULL};
    assert_false(options_read(both, message, sizeof message));
    assert_non_null(strstr(message, "HEAPTALLY_DETAILS=1"));
    assert_non_null(strstr(message, "HEAPTALLY_SAMPLE"));
    char *none[] = {(char[]){"HEAPTALLY_SAMPLE=0"}, (char[]){"HEAPTALLY_DETAILS=1"}, NULL};
    assert_true(options_read(none, message, sizeof message));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_defaults),
        cmocka_unit_test(reads_directory),
        cmocka_unit_test(reads_out),
        cmocka_unit_test(reads_nframe),
        cmocka_unit_test(escapes_the_working_directory),
        cmocka_unit_test(reads_signal),
        cmocka_unit_test(reads_flags),
        cmocka_unit_test(reads_memory),
        cmocka_unit_test(reads_unwinder_and_session),
        cmocka_unit_test(unfollows),
        cmocka_unit_test(ignores_other_names),
        cmocka_unit_test(cuts_long_messages),
        cmocka_unit_test(reads_details),
        cmocka_unit_test(details_are_not_sampled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
