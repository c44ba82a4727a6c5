/* error.c - see error.h.
 * Owns:    nothing.
 * Threads: any.  Signals: no.  Heap: no. */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>

bool error_set(struct error *self, const char *format, ...) {
    va_list arguments;
    if (self == NULL)
        return false;
    va_start(arguments, format);
    vsnprintf(self->text, sizeof self->text, format, arguments);
    va_end(arguments);
    return false;
}

bool error_out_of_memory(struct error *self) {
    return error_set(self, "out of memory");
}
