/* daemon.c - a program that goes to the background and closes every descriptor there is. Ours holds none that
 * it could hurt; the grandchild, which has none, traces on. */
#define _GNU_SOURCE
#include "tally.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void serve(void) {
    void *p = NULL;
    for (size_t i = 0; i < 3000; i++)
        p = TAKE(realloc(DROP(p), 16 + i), 16 + i);
    tally_write();
    closefrom(0);
    CHECK(close(0) != 0);
    for (size_t i = 0; i < 100; i++)
        free(malloc(i)); /* after the ledger: nobody to tell, nothing may go wrong */
    _exit(0);
}

int main(void) {
    int status;
    void *before = TAKE(malloc(80), 80);
    (void)before;
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    tally_note("others");
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        tally_forked();
        tally_drop_out();
        CHECK(setsid() > 0);
        if (fork() != 0)
            _exit(0);
        tally_forked();
        CHECK(chdir("/") == 0);
        serve();
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(wait(&status) > 0 && status == 0);
    say("the daemon has ended well\n");
    return 0;
}
