/* harmless.h - text from a traced program -> text that a terminal cannot take for orders. */
#ifndef HEAPTALLY_REPORT_HARMLESS_H
#define HEAPTALLY_REPORT_HARMLESS_H

#include <stddef.h>
#include <stdio.h>

/* Writes text[0..length): control characters and what is not UTF-8 as \xNN, the rest as it is. */
void harmless_write(FILE *out, const char *text, size_t length);

/* The same for a string. */
void harmless_put(FILE *out, const char *text);

/* The length of the valid UTF-8 sequence of a printable character at text[0..length), 0 if there is none. */
size_t harmless_character(const char *text, size_t length);

#endif
