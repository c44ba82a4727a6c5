/* api.c - include/heaptally.h for programs that know that they are traced.
 * Threads: any.  Signals: safe.  Heap: never. */
#include "heaptally.h"

#include "image/snapshot.h"
#include "track.h"

#include <stddef.h>

__attribute__((visibility("default"))) int heaptally_snapshot(const char *label) {
    if (!track_ready())
        return 0;
    return (int)snapshot_take(HT_TRIGGER_API, label != NULL ? label : "");
}
