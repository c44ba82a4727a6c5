/* boot.c - constructor and destructor: the order of things.
 *
 * The tracer starts at the first interposed call (start.h), which may come from the loader. The constructor
 * adds what needs the loader and libc: libunwind, the list of modules, the signal handler.
 *
 * Threads: run alone.  Signals: no.  Heap: never, but for what the loader allocates for libunwind. */
#define _GNU_SOURCE
#include "hooks/real.h"
#include "image/image.h"
#include "image/modules.h"
#include "image/snapshot.h"
#include "platform/options.h"
#include "platform/text.h"
#include "track.h"
#include "triggers.h"
#include "unwind/unwind.h"
#include "verify.h"

#include <unistd.h>

static void note_unwinder(void) {
    struct text text = text_in(image_header->unwinder, sizeof image_header->unwinder);
    text_add(&text, unwind_name());
}

__attribute__((constructor)) static void start(void) {
    track_mute();
    real_clear_error();
    track_begin();
    if (track_ready()) {
        if (!options.follow)
            options_unfollow(environ, "libheaptally.so");
        unwind_choose();
        note_unwinder();
        if (options.verify_every != 0 && verify_open())
            track_verify();
        modules_record_all();
        triggers_install_signal();
    } else {
        image_lose(HT_LOSS_COMMIT, 1); /* an image without the rest would say that nothing was allocated */
        image_remove();
    }
    track_unmute();
}

/* exit() and the return from main come here, after the program's own exit handlers. */
__attribute__((destructor)) static void finish(void) {
    if (!track_ready())
        return;
    if (snapshot_take(HT_TRIGGER_EXIT, "") != 0)
        image_remove();
    __atomic_store_n(&image_header->state, HT_STATE_EXITED, __ATOMIC_RELEASE);
}
