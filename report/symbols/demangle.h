/* demangle.h - linker names of C++, Rust (both schemes) and D -> the names that programmers wrote. */
#ifndef HEAPTALLY_SYMBOLS_DEMANGLE_H
#define HEAPTALLY_SYMBOLS_DEMANGLE_H

/* Returns the readable form, to be freed by the caller, or null if `name` is not a mangled one (or memory
 * is short): it is then best shown as it is. */
char *demangle(const char *name);

#endif
