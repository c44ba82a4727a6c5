/* grows.c - allocates as standard input tells it: `leak` 1000 bytes more each time, `cache` 500 bytes in the place
 * of the last ones. Answers with the order when it is done. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *kept[64], *cached;
static size_t count;

__attribute__((noinline)) static void leak(void) {
    kept[count++ % 64] = malloc(1000);
}

__attribute__((noinline)) static void cache(void) {
    free(cached);
    cached = malloc(500);
}

int main(void) {
    static char order[64], buffer[BUFSIZ];
    setvbuf(stdin, buffer, _IOFBF, sizeof buffer);
    puts("ready");
    fflush(stdout);
    while (fgets(order, sizeof order, stdin) != NULL) {
        if (strcmp(order, "leak\n") == 0)
            leak();
        else if (strcmp(order, "cache\n") == 0)
            cache();
        fputs(order, stdout);
        fflush(stdout);
    }
    return 0;
}
