/* source_path.h - names of source files as compilers wrote them -> one absolute spelling for each. */
#ifndef HEAPTALLY_SYMBOLS_SOURCE_PATH_H
#define HEAPTALLY_SYMBOLS_SOURCE_PATH_H

/* Joins `directory` (may be null) and `name` unless the latter is absolute, and removes "./", "//" and
 * "a/.." by text alone: the files need not exist here. Returns a new string; null when out of memory. */
char *source_path(const char *directory, const char *name);

#endif
