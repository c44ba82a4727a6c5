/* allocator.cc - a C++ program that is linked with an allocator of its own: it must go on using it.
 * ALLOCATOR_JEMALLOC, ALLOCATOR_TCMALLOC or ALLOCATOR_MIMALLOC says which; owns() asks it about a block. */
#include "ledger.h"

#include <malloc.h>
#include <new>
#include <string.h>

#if defined ALLOCATOR_JEMALLOC
#include <jemalloc/jemalloc.h>
static bool owns(void *block) {
    unsigned arena = ~0u;
    size_t size = sizeof arena;
    return mallctl("arenas.lookup", &arena, &size, &block, sizeof block) == 0 && arena != ~0u;
}
static const char *const module = "libjemalloc.so.2";
#elif defined ALLOCATOR_TCMALLOC
#include <gperftools/malloc_extension.h>
static bool owns(void *block) {
    return MallocExtension::instance()->GetOwnership(block) == MallocExtension::kOwned;
}
static const char *const module = "libtcmalloc_minimal.so.4";
#elif defined ALLOCATOR_MIMALLOC
#include <mimalloc.h>
static bool owns(void *block) {
    return mi_is_in_heap_region(block);
}
static const char *const module = "libmimalloc.so.2";
#endif

static void *check(void *block) {
    CHECK(owns(block));
    return block;
}

int main() {
#ifndef ALLOCATOR_JEMALLOC /* asked about a foreign address, it crashes: that is an answer too */
    int on_the_stack = 0;
    CHECK(!owns(&on_the_stack));
#endif
    ledger_foreign("libstdc++.so.6");
    ledger_foreign(module);
    void *blocks[12] = {
        check(GOT(malloc(100), 100)),
        check(GOT(calloc(10, 30), 300)),
        check(GOT(aligned_alloc(64, 640), 640)),
        check(GOT(memalign(4096, 50), 50)),
        check(GOT(new char[777], 777)),
        check(GOT(::operator new(1 << 20), 1 << 20)),
        check(GOT(::operator new(64, std::align_val_t(256)), 64)),
        check(GOT(::operator new(65, std::nothrow), 65)),
    };
    blocks[0] = check(GOT(realloc(GONE(blocks[0]), 50000), 50000));
    delete[] static_cast<char *>(GONE(blocks[4]));
    ::operator delete(GONE(blocks[6]), std::align_val_t(256));
    for (int i = 0; i < 1000; i++) {
        void *close_together = check(GOT(malloc(8), 8)); /* allocators that pack blocks 8 bytes apart */
        if (i % 2)
            free(GONE(close_together));
    }
    free(GONE(blocks[1]));
    return 0;
}
