/* api.c - include/heaptally.h for programs that know that they are traced.
 * Threads: any.  Signals: safe.  Heap: never. */
#include "heaptally.h"

#include "image/image.h"
#include "image/snapshot.h"
#include "platform/options.h"
#include "tracing.h"
#include "track.h"
#include "unwind/unwind.h"

static int is_tracing(void) {
    return tracing_is_active();
}

static unsigned get_traceback_limit(void) {
    track_begin();
    return track_ready() ? __atomic_load_n(&options.nframe, __ATOMIC_RELAXED) : 0;
}

static int snapshot(const char *label) {
    return tracing_is_active() ? (int)snapshot_take(HT_TRIGGER_API, label != NULL ? label : "") : 0;
}

/* A frame of its own, as CALLER_HERE demands. */
static __attribute__((noinline)) int track(unsigned domain, uintptr_t address, size_t size_bytes) {
    return tracing_track(domain, address, size_bytes, CALLER_HERE);
}

static int scope_begin(const char *name) {
    return tracing_scope_begin(name != NULL ? name : "");
}

static int get_scope(const char *name, struct heaptally_scope *scope) {
    return tracing_scope(name != NULL ? name : "", scope);
}

static int set_tag(const char *tag) {
    return tracing_set_tag(tag != NULL ? tag : "");
}

static int name_domain(unsigned domain, const char *name) {
    return tracing_name_domain(domain, name != NULL ? name : "");
}

__attribute__((visibility("default"))) const struct heaptally_api *heaptally_get_api(void) {
    static const struct heaptally_api api = {
        .size = sizeof api,
        .start = tracing_start,
        .stop = tracing_stop,
        .is_tracing = is_tracing,
        .get_traceback_limit = get_traceback_limit,
        .get_traced_memory = tracing_memory,
        .reset_peak = tracing_reset_peak,
        .clear_traces = tracing_clear,
        .get_tracer_memory = tracing_tables,
        .get_block_traceback = tracing_traceback,
        .snapshot = snapshot,
        .track = track,
        .untrack = tracing_untrack,
        .name_domain = name_domain,
        .scope_begin = scope_begin,
        .scope_end = tracing_scope_end,
        .get_scope = get_scope,
        .set_tag = set_tag,
    };
    return &api;
}
