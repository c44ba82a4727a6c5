/* peak.c - several maxima; the highest is in the middle, and its lines are not those alive at exit. */
#include "ledger.h"

static void *wave[3][100];

static void rise_and_fall(int which, size_t size_bytes) {
    for (int i = 0; i < 100; i++)
        wave[which][i] = GOT(malloc(size_bytes), size_bytes);
    void *top = GOT(malloc(which == 1 ? 50000 : 5), which == 1 ? 50000 : 5);
    free(GONE(top));
    for (int i = which == 2 ? 50 : 0; i < 100; i++)
        free(GONE(wave[which][i]));
}

int main(void) {
    void *base = GOT(malloc(1000), 1000);
    rise_and_fall(0, 3000);
    void *more = GOT(calloc(1, 2000), 2000);
    rise_and_fall(1, 9000);
    free(GONE(base));
    rise_and_fall(2, 4000);
    (void)more;
    return 0;
}
