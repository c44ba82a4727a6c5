/* start.c - see start.h.
 * Owns:    whether it was tried.
 * Threads: any; the first does it.  Signals: no.  Heap: never. */
#define _GNU_SOURCE
#include "start.h"

#include "births.h"
#include "image/contexts.h"
#include "image/image.h"
#include "image/sample.h"
#include "image/stacks.h"
#include "platform/options.h"
#include "platform/sys.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define MALFORMED_STATUS 2
#define BIRTHS_SHARE     4 /* of a heap of small blocks, that is for eight times the image's budget */
#define OUR_PREFIX       "HEAPTALLY_"
#define OURS_MAX         64

/* The variables that concern us, out of the kernel's copy of the environment. */
static struct {
    char text[16384];
    size_t used, entry; /* where the entry that is being read begins */
    char *entries[OURS_MAX + 1];
    size_t count;
} ours;

static bool may_be_ours(void) {
    size_t length = ours.used - ours.entry, prefix = sizeof OUR_PREFIX - 1;
    return memcmp(ours.text + ours.entry, OUR_PREFIX, length < prefix ? length : prefix) == 0;
}

/* One more byte of the environment: keeps entries that begin with our prefix, drops the others. */
static void take_byte(char byte) {
    if (ours.used < sizeof ours.text - 1)
        ours.text[ours.used++] = byte;
    if (byte != '\0')
        return;
    if (may_be_ours() && ours.used - ours.entry >= sizeof OUR_PREFIX && ours.count < OURS_MAX)
        ours.entries[ours.count++] = ours.text + ours.entry;
    else
        ours.used = ours.entry;
    ours.entry = ours.used;
}

/* Before libc's own start `environ` is null, and the kernel has it. */
static char *const *environment(void) {
    char part[1024];
    long got;
    if (environ != NULL)
        return environ;
    int fd = sys_open("/proc/self/environ", O_RDONLY | O_CLOEXEC, 0);
    while (fd >= 0 && (got = sys_read(fd, part, sizeof part)) > 0)
        for (long i = 0; i < got; i++)
            if (ours.used == ours.entry || part[i] == '\0' || may_be_ours())
                take_byte(part[i]);
    if (fd >= 0)
        sys_close(fd);
    return ours.entries;
}

static void read_options(void) {
    static char message[2048];
    if (options_read(environment(), message, sizeof message))
        return;
    sys_write_all(STDERR_FILENO, message, strlen(message), -1);
    sys_exit(MALFORMED_STATUS);
}

bool start_once(void) {
    static uint32_t tried;
    if (__atomic_exchange_n(&tried, 1, __ATOMIC_ACQ_REL) != 0 || getauxval(AT_SECURE) != 0)
        return false;
    read_options();
    if (!image_create())
        return false;
    if (!stacks_begin()) { /* rather no file than one that says that nothing was allocated */
        image_remove();
        return false;
    }
    if (options.mappings)
        contexts_name_domain(HT_DOMAIN_MMAP, "mmap");
    if (options.sample_bytes != 0)
        sample_begin(options.sample_bytes);
    if (options.details)
        births_open(BIRTHS_SHARE * options.memory_bytes);
    image_header->totals.peak_sequence = 1;
    return true;
}
