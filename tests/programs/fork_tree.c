/* fork_tree.c - children of children: each generation inherits, frees and allocates. */
#include "ledger.h"

#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    void *blocks[4];
    for (int generation = 0; generation < 4; generation++) {
        blocks[generation] = GOT(malloc(1000), 1000);
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid != 0) {
            int status;
            CHECK(waitpid(pid, &status, 0) == pid && status == 0);
            return 0;
        }
        ledger_forked();
        free(GONE(blocks[generation]));
        blocks[generation] = GOT(calloc(1, 10), 10);
    }
    return 0;
}
