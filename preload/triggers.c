/* triggers.c - see triggers.h.
 * Threads: the constructor; the handler in any.  Signals: safe.  Heap: never. */
#define _GNU_SOURCE
#include "triggers.h"

#include "image/image.h"
#include "image/snapshot.h"
#include "platform/options.h"
#include "platform/sys.h"
#include "track.h"
#include "unwind/call_stack.h"

#include <signal.h>
#include <stddef.h>

static void take(int number) {
    (void)number;
    if (track_ready())
        snapshot_take(HT_TRIGGER_SIGNAL, "");
}

void triggers_install_signal(void) {
    struct sigaction now, ours = {.sa_handler = take, .sa_flags = SA_RESTART | SA_ONSTACK};
    if (options.signal == 0 || sigaction(options.signal, NULL, &now) != 0)
        return;
    if ((now.sa_flags & SA_SIGINFO) != 0 || now.sa_handler != SIG_DFL)
        return;
    sigfillset(&ours.sa_mask); /* a handler that jumped out of ours would leave a snapshot half-written */
    if (sigaction(options.signal, &ours, NULL) != 0)
        return;
    image_header->signal = (uint64_t)options.signal;
    sys_signal_restorer(options.signal, &call_stack_signal_return);
}
