/* calloc.c - calloc: zeroed, product as size, zero counts, and products that overflow. */
#include "ledger.h"

#include <errno.h>
#include <stdint.h>

static volatile size_t huge = SIZE_MAX;

int main(void) {
    char *a = GOT(calloc(10, 24), 240);
    for (int i = 0; i < 240; i++)
        CHECK(a[i] == 0);
    char *b = GOT(calloc(0, 100), 0);
    char *c = GOT(calloc(100, 0), 0);
    char *d = GOT(calloc(1, 3u << 20), 3u << 20);
    CHECK(d[0] == 0 && d[(3u << 20) - 1] == 0);

    errno = 0;
    CHECK(calloc(huge / 2, 3) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(calloc(huge, 1) == NULL && errno == ENOMEM);
    free(GONE(a));
    free(GONE(c));
    (void)b;
    return 0;
}
