/* wildcard.h - file name patterns as Python's fnmatch.fnmatchcase reads them, and tracemalloc's filters with
 * it.
 *
 *     *        anything, `/` and nothing included
 *     ?        one character
 *     [seq]    one character of seq, in which a-z is a range
 *     [!seq]   one character that is not of seq
 *
 * Case counts. Nothing quotes: a backslash is a backslash, and what is special is matched by a set, as [*].
 * There are no classes such as [:alpha:]. A `[` without its `]` stands for itself. Not what glibc's fnmatch
 * does. A character is one of UTF-8; a byte that is not UTF-8 is a character of its own. */
#ifndef HEAPTALLY_REPORT_WILDCARD_H
#define HEAPTALLY_REPORT_WILDCARD_H

#include <stdbool.h>
#include <stddef.h>

struct wildcard;

/* Compiles pattern[0..length), of which nothing is kept. Every text is a pattern. Null when out of memory. */
struct wildcard *wildcard_new(const char *pattern, size_t length);
void wildcard_free(struct wildcard *self);

/* Whether the whole of text[0..length) matches. */
bool wildcard_matches(const struct wildcard *self, const char *text, size_t length);

#endif
