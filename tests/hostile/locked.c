/* locked.c - mlockall(MCL_FUTURE): every page that is mapped from now on is filled at once. Our reservations,
 * which are large and mostly empty, must not be. */
#include "tally.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static long locked_kib(void) {
    char line[256];
    long kib = -1;
    FILE *status = fopen("/proc/self/status", "re");
    CHECK(status != NULL);
    while (fgets(line, sizeof line, status) != NULL)
        if (sscanf(line, "VmLck: %ld", &kib) == 1)
            break;
    fclose(status);
    return kib;
}

int main(void) {
    void *kept[200];
    if (mlockall(MCL_FUTURE) != 0) {
        tally_drop_out();
        return errno == EPERM || errno == ENOMEM ? 77 : 3;
    }
    for (size_t i = 0; i < 200; i++)
        kept[i] = TAKE(malloc(16 + i * 1000), 16 + i * 1000);
    for (size_t i = 0; i < 200; i++)
        free(DROP(kept[i]));
    CHECK(locked_kib() < 128 << 10);
    say("locked\n");
    return 0;
}
