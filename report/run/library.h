/* library.h - where libheaptally.so is. */
#ifndef HEAPTALLY_REPORT_LIBRARY_H
#define HEAPTALLY_REPORT_LIBRARY_H

#include "../source/error.h"

#include <limits.h>

/* HEAPTALLY_LIBRARY, or beside the command in the build tree, or where it was installed. */
bool library_find(char path[PATH_MAX], struct error *error);

#endif
