/* still_growing.c - a program that only grows: its peak is its end, which no free has marked. */
#include "ledger.h"

int main(void) {
    for (size_t i = 0; i < 1000; i++)
        (void)GOT(malloc(i), i);
    (void)GOT(malloc(100000), 100000);
    return 0;
}
