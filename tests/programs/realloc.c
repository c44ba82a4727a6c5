/* realloc.c - realloc in place, moved, shrunk, from null, to zero, and refused; reallocarray too.
 * A block belongs to the line that sized it last; one whose realloc failed stays where it was. */
#include "ledger.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static volatile size_t huge = PTRDIFF_MAX;

static void *grow_in_place(void) {
    char *p = GOT(malloc(2000), 2000);
    char *q = GOT(realloc(GONE(p), 3000), 3000); /* the top of the heap follows it */
    CHECK(q == p);
    q = GOT(realloc(GONE(q), 1500), 1500);
    CHECK(q == p);
    return q;
}

static void *grow_elsewhere(void) {
    char *p = GOT(malloc(100), 100);
    char *fence = GOT(malloc(100), 100);
    memset(p, 7, 100);
    char *q = GOT(realloc(GONE(p), 300000), 300000);
    CHECK(q[0] == 7 && q[99] == 7);
    q = GOT(realloc(GONE(q), 2000000), 2000000);
    CHECK(q[0] == 7 && q[99] == 7);
    free(GONE(fence));
    return q;
}

static void refuse(char *p) {
    errno = 0;
    CHECK(realloc(p, huge) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(reallocarray(p, huge, 3) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(realloc(NULL, huge) == NULL && errno == ENOMEM);
    CHECK(p[0] == 5);
}

int main(void) {
    void *kept[3] = {grow_in_place(), grow_elsewhere(), GOT(realloc(NULL, 40), 40)};
    char *same = GOT(malloc(64), 64);
    same = GOT(realloc(GONE(same), 64), 64);

    char *p = GOT(malloc(700), 700);
    p[0] = 5;
    refuse(p);
    CHECK(realloc(GONE(p), 0) == NULL); /* glibc: frees */

    char *q = GOT(malloc(33), 33);
    q[0] = 5;
    refuse(q); /* still live, still of its line */

    char *array = GOT(reallocarray(NULL, 10, 12), 120);
    array = GOT(reallocarray(GONE(array), 20, 12), 240);
    CHECK(reallocarray(GONE(array), 20, 0) == NULL);
    free(GONE(kept[1]));
    return 0;
}
