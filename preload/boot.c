/* boot.c - see boot.h.
 * Owns:    whether the start was tried.
 * Threads: the first event's; constructor and destructor run alone.  Signals: no. */
#define _GNU_SOURCE
#include "boot.h"

#include "hooks/real.h"
#include "image/image.h"
#include "image/modules.h"
#include "image/snapshot.h"
#include "image/stacks.h"
#include "platform/options.h"
#include "platform/sys.h"
#include "platform/text.h"
#include "track.h"
#include "triggers.h"
#include "unwind/unwind.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define MALFORMED_STATUS 2

/* Before libc's own start `environ` is null, and the kernel has it. */
static char *const *environment(char *text, size_t text_bytes, char **entries, size_t entry_count) {
    if (environ != NULL)
        return environ;
    int fd = sys_open("/proc/self/environ", O_RDONLY | O_CLOEXEC, 0);
    long got = fd >= 0 ? sys_read(fd, text, text_bytes - 1) : 0;
    sys_close(fd);
    text[got > 0 ? got : 0] = '\0';
    size_t count = 0;
    for (char *at = text; *at != '\0' && count + 1 < entry_count; at += strlen(at) + 1)
        entries[count++] = at;
    entries[count] = NULL;
    return entries;
}

static void read_options(void) {
    static char text[65536], message[2048];
    static char *entries[1024];
    if (options_read(environment(text, sizeof text, entries, 1024), message, sizeof message))
        return;
    sys_write_all(STDERR_FILENO, message, strlen(message), -1);
    sys_exit(MALFORMED_STATUS);
}

void boot_start(void) {
    static uint32_t tried;
    if (__atomic_exchange_n(&tried, 1, __ATOMIC_ACQ_REL) != 0 || getauxval(AT_SECURE) != 0)
        return;
    read_options();
    if (!image_create())
        return;
    stacks_begin();
    image_header->totals.peak_sequence = 1;
    track_begin();
}

static void note_unwinder(void) {
    struct text text = text_in(image_header->unwinder, sizeof image_header->unwinder);
    text_add(&text, unwind_name());
}

__attribute__((constructor)) static void start(void) {
    track_mute();
    real_clear_error();
    boot_start();
    if (track_ready()) {
        if (!options.follow)
            options_unfollow(environ, "libheaptally.so");
        unwind_choose();
        note_unwinder();
        modules_record_all();
        triggers_install_signal();
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
