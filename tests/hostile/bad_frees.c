/* bad_frees.c double|double_large|interior|realloc|stack - frees of what is not there: glibc ends the
 * program, and its message is the one that it gives without us. */
#define _GNU_SOURCE
#include "tally.h"

#include <string.h>

#pragma GCC diagnostic ignored "-Wfree-nonheap-object"

int main(int argc, char **argv) {
    const char *way = argc > 1 ? argv[1] : "";
    char here[64] __attribute__((aligned(16))) = {0};
    char *volatile block = malloc(40), *volatile large = malloc(5000), *volatile behind = malloc(40);
    (void)behind;
    tally_drop_out();
    if (strcmp(way, "double") == 0) {
        free(block);
        free(block);
    } else if (strcmp(way, "double_large") == 0) {
        free(large);
        free(large);
    } else if (strcmp(way, "interior") == 0) {
        free(large + 8);
    } else if (strcmp(way, "realloc") == 0) {
        block = realloc(large + 8, 10);
    } else {
        free(here + 16);
    }
    say("not reached\n");
    return 0;
}
