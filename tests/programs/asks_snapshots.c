/* asks_snapshots.c - snapshots that the program asks for: by the API with labels, and by raising the signal.
 * Its ledger as it stood is written beside each. Prints what heaptally_snapshot() returned, and errno after
 * it. */
#include "heaptally.h"
#include "ledger.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static void say(const char *what, int number) {
    char text[64];
    int n = snprintf(text, sizeof text, "%s %d\n", what, number);
    CHECK(write(1, text, (size_t)n) == n);
}

static void take(const char *label, const char *name) {
    ledger_write_as(name);
    errno = 77;
    say(label, heaptally_snapshot(label));
    say("errno", errno);
}

int main(void) {
    void *first = GOT(malloc(1000), 1000);
    if (!heaptally_is_tracing()) {
        say("untraced", 0);
        return 0;
    }
    take("start", "1");
    void *second = GOT(malloc(3000), 3000);
    take("two words/and a slash", "2");
    free(GONE(first));
    ledger_write_as("3");
    raise(SIGUSR2);
    (void)second;
    return 0;
}
