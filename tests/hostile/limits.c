/* limits.c [late] - a program that is started with hardly any address space, file size, descriptors or stack:
 * the test sets the limits. late: no descriptor any more from the middle on. */
#define _GNU_SOURCE
#include "tally.h"

#include <string.h>
#include <sys/resource.h>

static void allocate(void) {
    void *kept[500];
    for (int i = 0; i < 500; i++)
        kept[i] = TAKE(malloc(16 + (size_t)i * 7), 16 + (size_t)i * 7);
    for (int i = 0; i < 400; i++)
        free(DROP(kept[i]));
}

int main(int argc, char **argv) {
    allocate();
    if (argc > 1 && strcmp(argv[1], "file") == 0)
        tally_note("no_source"); /* a file of an image's size would raise a signal */
    if (argc > 1 && strcmp(argv[1], "late") == 0) {
        struct rlimit none = {0, 0};
        tally_note("loss snapshots"); /* the image stays */
        tally_write();
        CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    }
    say("enough\n");
    return 0;
}
