/* jump_out.c - a handler that leaves by siglongjmp, from wherever it interrupts: malloc, or the tracer inside
 * it. What was under way may be counted or not, the rest must be right. */
#include "tally.h"

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>

enum { JUMPS = 200 };

static sigjmp_buf start;
static volatile sig_atomic_t jumps, armed;

static void handle(int number) {
    (void)number;
    if (armed) {
        jumps = jumps + 1;
        siglongjmp(start, 1);
    }
}

int main(void) {
    static char slack[32];
    struct sigaction action = {.sa_handler = handle};
    struct itimerval millisecond = {{0, 1000}, {0, 1000}};
    snprintf(slack, sizeof slack, "slack %d", 2 * JUMPS);
    tally_note(slack);
    tally_note("others");
    tally_note("unattributed");
    CHECK(sigaction(SIGPROF, &action, NULL) == 0);
    CHECK(setitimer(ITIMER_PROF, &millisecond, NULL) == 0);
    if (sigsetjmp(start, 1) == 0 || jumps < JUMPS) {
        armed = 1;
        for (size_t i = 0; jumps < JUMPS; i++)
            free(malloc(20 + i % 1000)); /* not in the ledger: the jump leaves it half-kept */
    }
    armed = 0;
    setitimer(ITIMER_PROF, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
    void *last = NULL;
    for (int i = 0; i < 1000; i++) {
        free(DROP(last));
        last = TAKE(malloc(64), 64);
    }
    say("two hundred jumps\n");
    return 0;
}
