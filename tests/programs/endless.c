/* endless.c - makes blocks, says "ready" on its standard output, and works on until it is killed.
 *     endless [idle]     idle: waits instead, so that its ledger ($LEDGER_DIR/<pid>.ready.ledger) stays true
 */
#include "ledger.h"

#include <stdint.h>
#include <unistd.h>

int main(int argc, char **argv) {
    (void)argv;
    for (size_t i = 0; i < 500; i++)
        (void)GOT(malloc(1000), 1000);
    ledger_write_as("ready");
    CHECK(write(1, "ready\n", 6) == 6);
    if (argc > 1)
        for (;;)
            pause();
    for (uint32_t random = 1;; random = random * 1664525u + 1013904223u) {
        static void *pool[4096];
        free(pool[random >> 20]);
        pool[random >> 20] = malloc(random >> 20);
    }
}
