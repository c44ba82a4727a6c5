/* own_handler.c - what becomes of SIGUSR2 in programs that have plans for it.
 *     own_handler early|late|ignore|default|blocked     raises it, prints what happened: "handled",
 * "survived" */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void handle(int number) {
    (void)number;
    (void)!write(1, "handled\n", 8);
}

static void set(void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler};
    if (sigaction(SIGUSR2, &action, NULL) != 0)
        _exit(3);
}

int main(int argc, char **argv) {
    const char *plan = argc > 1 ? argv[1] : "";
    if (strcmp(plan, "early") == 0)
        set(handle);
    void *volatile block = malloc(100);
    if (strcmp(plan, "late") == 0)
        set(handle);
    if (strcmp(plan, "ignore") == 0)
        set(SIG_IGN);
    if (strcmp(plan, "blocked") == 0) {
        sigset_t set_of_one;
        sigemptyset(&set_of_one);
        sigaddset(&set_of_one, SIGUSR2);
        sigprocmask(SIG_BLOCK, &set_of_one, NULL);
    }
    raise(SIGUSR2);
    (void)!write(1, "survived\n", 9);
    free(block);
    return 0;
}
