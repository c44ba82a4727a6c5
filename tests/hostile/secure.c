/* secure.c - says whether the library, which it is linked with, traces it. */
#include <heaptally.h>

#include <stdio.h>
#include <stdlib.h>

int main(void) {
    free(malloc(100));
    puts(heaptally_snapshot("") != 0 ? "traced" : "not traced");
    return 0;
}
