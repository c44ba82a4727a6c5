/* map_pairs.c COUNT - maps a page and unmaps it, so many times: what a pair costs is the difference of two
 * runs. */
#include <stdlib.h>
#include <sys/mman.h>

int main(int argc, char **argv) {
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    for (long i = 0; i < count; i++) {
        void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED || munmap(page, 4096) != 0)
            return 1;
    }
    return 0;
}
