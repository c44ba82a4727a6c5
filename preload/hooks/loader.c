/* loader.c - dlclose, interposed since code that is gone must be forgotten. dlopen is not: it looks at
 * its caller to find the search path and namespace.
 *
 * Threads: any.  Signals: no, as the real one.  Heap: the loader's. */
#include "real.h"

#include "../track.h"

#include <dlfcn.h>

__attribute__((visibility("default"))) int dlclose(void *handle) {
    const struct real *table = real();
    if (table == NULL)
        return -1;
    int result = table->dlclose(handle);
    track_code_unmapped();
    return result;
}
