/* malloc_free.c - malloc and free of sizes around the borders of the block tables, 0 included. */
#include "ledger.h"

static const size_t sizes[] = {0,    1,    8,    24,    31,    32,     33,     511,    512,      513,
                               8191, 8192, 8193, 65535, 65536, 131071, 131072, 131073, 1u << 20, 3u << 20};
enum { SIZES = sizeof sizes / sizeof *sizes, ROUNDS = 16 };

int main(void) {
    static void *kept[ROUNDS][SIZES];
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < SIZES; i++)
            kept[round][i] = GOT(malloc(sizes[i]), sizes[i]);
    for (int round = 0; round < ROUNDS; round += 2)
        for (int i = 0; i < SIZES; i++)
            free(GONE(kept[round][i]));
    for (int i = 0; i < SIZES; i++)
        kept[0][i] = GOT(malloc(sizes[i]), sizes[i]);
    free(NULL);
    return 0;
}
