/* mappings_told.c - what heaptally.h says of mappings: in scopes, after traces were cleared, while nothing is
 * traced. Under HEAPTALLY_MMAP=1. */
#define _GNU_SOURCE
#include "ledger.h"

#include <heaptally.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

static char *map(size_t pages) {
    char *mapped = mmap(NULL, pages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(mapped != MAP_FAILED);
    return mapped;
}

static void unmap(char *mapped, size_t pages) {
    CHECK(munmap(mapped, pages * PAGE) == 0);
}

static size_t current_pages(void) {
    size_t current, peak;
    heaptally_get_traced_memory(&current, &peak);
    CHECK(current % PAGE == 0);
    return current / PAGE;
}

static void in_a_scope(void) {
    struct heaptally_scope scope;
    CHECK(heaptally_scope_begin("load") == 0);
    char *mapped = map(20);
    unmap(mapped + 5 * PAGE, 3);
    CHECK(heaptally_scope_end() == 0);
    unmap(mapped, 1); /* whoever unmaps it where: it is the scope's */
    CHECK(heaptally_get_scope("load", &scope) == 0);
    CHECK(scope.live_bytes == 16 * PAGE && scope.peak_bytes == 20 * PAGE);
    CHECK(scope.allocations == 2 && scope.live_blocks == 2);
    unmap(mapped, 20);
    CHECK(heaptally_get_scope("load", &scope) == 0);
    CHECK(scope.live_bytes == 0 && scope.live_blocks == 0);
}

static void cleared(void) {
    char *before = map(10);
    CHECK(current_pages() == 10);
    CHECK(heaptally_clear_traces() == 0);
    CHECK(current_pages() == 0);
    unmap(before, 4);
    char *after = map(5);
    unmap(before + 4 * PAGE, 6);
    CHECK(current_pages() == 5);
    unmap(after, 2);
    CHECK(current_pages() == 3);
    unmap(after + 2 * PAGE, 3);
    CHECK(current_pages() == 0);
}

static void stopped(void) {
    char *before = map(8);
    CHECK(heaptally_stop() == 0);
    char *unseen = map(9);
    unmap(before, 8);
    CHECK(heaptally_start(10) == 0);
    CHECK(current_pages() == 0);
    CHECK(mmap(before, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == before);
    CHECK(current_pages() == 3);
    unmap(unseen, 9);
    CHECK(current_pages() == 3);
    unmap(before, 3);
    CHECK(current_pages() == 0);
}

int main(void) {
    in_a_scope();
    cleared();
    stopped();
    return 0;
}
