/* test_wildcard.c - patterns as Python's fnmatch: the odd ones by name, and with --pairs any number of
 * others, for compare_wildcard.py: lines of hexadecimal digits, a pattern and a text in turn, answered by 1
 * or 0. */
#define _GNU_SOURCE
#include "check.h"
#include "stats/wildcard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool matches(const char *pattern, size_t pattern_length, const char *text, size_t length) {
    struct wildcard *wildcard = wildcard_new(pattern, pattern_length);
    if (wildcard == NULL)
        abort();
    bool result = wildcard_matches(wildcard, text, length);
    wildcard_free(wildcard);
    return result;
}

static const struct {
    const char *pattern, *text;
    bool matches;
} cases[] = {
    {"", "", true},
    {"", "a", false},
    {"*", "", true},
    {"*", "/src/a.c", true},
    {"/src/*.c", "/src/deep/a.c", true}, /* glibc's FNM_PATHNAME would not */
    {"*.c", "/src/.hidden.c", true},
    {"a?c", "a/c", true},
    {"a?c", "ac", false},
    {"?", "\xc3\xa9", true}, /* one character of two bytes */
    {"[\xc3\xa0-\xc3\xaf]", "\xc3\xa9", true},
    {"?", "\xff", true}, /* no character at all */
    {"A*", "a", false},
    {"[!a-c]x", "dx", true},
    {"[!a-c]x", "bx", false},
    {"[^a]", "^", true}, /* no negation, unlike glibc's */
    {"[^a]", "b", false},
    {"\\*", "*", false}, /* no escape */
    {"\\*", "\\abc", true},
    {"[[:alpha:]]", "b", false}, /* no class */
    {"[[:alpha:]]", ":]", true},
    {"[", "[", true},
    {"[a", "[a", true},
    {"[]]", "]", true},
    {"[!]]", "]", false},
    {"[!]", "[!]", true},
    {"[]", "[]", true},
    {"[z-a]", "m", false},
    {"[!z-a]", "m", true},
    {"[a-]", "-", true},
    {"[!-a]", "-", false},
    {"[a-c-e]", "d", false},
    {"[a-c-e]", "-", true},
    {"[b-a!x]", "x", false}, /* what is left of it begins with ! */
    {"*a*b*c", "xxaxxbxxbxc", true},
    {"*aab", "aaab", true},
    {"a\n*", "a\nb\n", true},
};

static void patterns_are_pythons(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (matches(cases[i].pattern, strlen(cases[i].pattern), cases[i].text, strlen(cases[i].text)) !=
            cases[i].matches)
            fail_msg("%s against %s: not %d", cases[i].pattern, cases[i].text, cases[i].matches);
}

/* No pattern takes more than the product of the lengths. */
static void many_stars_are_no_trap(void **state) {
    char text[4097];
    (void)state;
    memset(text, 'a', sizeof text);
    assert_false(matches("*a*a*a*a*a*a*a*a*a*a*b", 22, text, sizeof text));
}

static size_t read_hex(char *line, char *bytes) {
    size_t length = strcspn(line, "\n") / 2;
    for (size_t i = 0; i < length; i++) {
        char digits[3] = {line[2 * i], line[2 * i + 1], '\0'};
        bytes[i] = (char)strtoul(digits, NULL, 16);
    }
    return length;
}

static int answer_pairs(void) {
    static char pattern[4096], text[4096], line[2 * 4096 + 2];
    while (fgets(line, sizeof line, stdin) != NULL) {
        size_t pattern_length = read_hex(line, pattern);
        if (fgets(line, sizeof line, stdin) == NULL)
            return 1;
        puts(matches(pattern, pattern_length, text, read_hex(line, text)) ? "1" : "0");
    }
    return 0;
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_are_pythons),
        cmocka_unit_test(many_stars_are_no_trap),
    };
    if (argc == 2 && strcmp(argv[1], "--pairs") == 0)
        return answer_pairs();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
