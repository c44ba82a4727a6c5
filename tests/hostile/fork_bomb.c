/* fork_bomb.c - five hundred short children, sixteen at a time, that allocate once and are gone: as a shell's
 * are. The last twenty leave their ledgers: images of dead processes are bounded, older ones may be gone. */
#include "tally.h"

#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 500, AT_ONCE = 16, LAST = 20 };

static void await(void) {
    int status;
    CHECK(wait(&status) > 0 && status == 0);
}

int main(void) {
    void *inherited = TAKE(malloc(100), 100);
    for (int i = 0; i < CHILDREN; i++) {
        if (i >= AT_ONCE)
            await();
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            tally_forked();
            free(DROP(inherited));
            inherited = TAKE(malloc(30), 30);
            if (i >= CHILDREN - LAST)
                tally_write();
            _exit(0);
        }
    }
    for (int i = 0; i < AT_ONCE; i++)
        await();
    say("five hundred children\n");
    return 0;
}
