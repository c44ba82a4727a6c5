/* become.c - allocates, and becomes another program, which is traced anew.
 *     become PROGRAM */
#include "ledger.h"

#include <unistd.h>

int main(int argc, char **argv) {
    CHECK(argc == 2);
    void *lost = malloc(12345);
    CHECK(lost != NULL);
    execv(argv[1], argv + 1);
    return 127;
}
