/* own_usr2.c - a program that talks to itself by SIGUSR2: it waits for it in one thread, counts it in a
 * handler in another, and asks what the action is. It installs its handler before anything else may be
 * listening. */
#include "tally.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t handled;

static void handle(int number, siginfo_t *info, void *context) {
    (void)context;
    handled = handled + (number == SIGUSR2 && info->si_pid == getpid());
}

static void *wait_for(void *argument) {
    sigset_t only;
    int number;
    sigemptyset(&only);
    sigaddset(&only, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &only, NULL);
    for (int i = 0; i < 10; i++)
        CHECK(pthread_kill(pthread_self(), SIGUSR2) == 0 && sigwait(&only, &number) == 0 &&
              number == SIGUSR2);
    return argument;
}

int main(void) {
    pthread_t id;
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO}, found;
    CHECK(sigaction(SIGUSR2, &action, NULL) == 0);
    for (int i = 0; i < 10; i++) {
        CHECK(kill(getpid(), SIGUSR2) == 0);
        free(DROP(TAKE(malloc(44), 44)));
    }
    CHECK(handled == 10);
    CHECK(pthread_create(&id, NULL, wait_for, NULL) == 0 && pthread_join(id, NULL) == 0);
    CHECK(sigaction(SIGUSR2, NULL, &found) == 0 && found.sa_sigaction == handle);
    say("twenty signals\n");
    return 0;
}
