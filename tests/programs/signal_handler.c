/* signal_handler.c - a handler that allocates, while the program allocates between two signals of its own.
 * The signals come at safe points, so that neither malloc nor the ledger is interrupted. */
#include "ledger.h"

#include <signal.h>
#include <unistd.h>

static void *from_handler[100];
static volatile sig_atomic_t handled;

static void handle(int number) {
    (void)number;
    from_handler[handled] = GOT(malloc(70), 70);
    handled = handled + 1;
}

int main(void) {
    struct sigaction action = {.sa_handler = handle};
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    for (int i = 0; i < 100; i++) {
        void *p = GOT(malloc(30), 30);
        CHECK(raise(SIGALRM) == 0);
        free(GONE(p));
    }
    CHECK(handled == 100);
    for (int i = 0; i < 40; i++)
        free(GONE(from_handler[i]));
    return 0;
}
