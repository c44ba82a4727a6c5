/* exhaustion.c - takes all the memory that it may, twice, and goes on: the tracer's own tables meet the same
 * limit, and what they could not hold is a loss. */
#include "tally.h"

#include <sys/resource.h>

struct link {
    char mark[16]; /* the tally's */
    struct link *next;
};

int main(void) {
    struct rlimit limit = {(rlim_t)512 << 20, (rlim_t)512 << 20};
    tally_note("others");
    tally_note("loss any");
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    for (int round = 0; round < 2; round++) {
        struct link *chain = NULL, *link;
        size_t bytes = round == 0 ? 4000 : 300;
        while ((link = malloc(bytes)) != NULL) {
            link->next = chain;
            chain = link;
        }
        while ((link = chain) != NULL) {
            chain = link->next;
            free(link);
        }
    }
    free(DROP(TAKE(malloc(1000), 1000)));
    say("exhausted twice\n");
    return 0;
}
