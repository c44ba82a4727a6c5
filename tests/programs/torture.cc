/* torture.cc - allocations from stacks of every shape that an unwinder meets.
 *     torture ROUNDS [LIBRARY LIBRARY]     prints "ok"
 *
 * The shapes of the unit test of the unwinders (recursion, alloca, realigned frames, call-backs of libc,
 * exceptions, longjmp, handlers on normal and alternate stacks, coroutines on recycled stacks), here and in
 * threads, and those of torture.h. Some 80 allocations a round; the same rounds make the same ones. */
#include "torture.h"

#include <cstdio>
#include <cstdlib>
#include <thread>

extern "C" void shapes_walk(void (*visitor)(), uint64_t start, int rounds);

namespace {

constexpr size_t ring_size = 32;
void *ring[ring_size];
size_t visits;
uint64_t sequence = 88172645463325252u;

/* Frees what the library allocated last before it may be gone. */
void empty_ring() {
    for (void *&block : ring) {
        free(block);
        block = nullptr;
    }
}

void in_thread() {
    std::thread([] { shapes_walk(torture_visit, sequence, 2); }).join();
}

void one_round(int round, const char *one, const char *two) {
    shapes_walk(torture_visit, static_cast<uint64_t>(round), 1);
    torture_generated_code();
    if (round % 8 == 0)
        torture_every_instruction();
    if (round % 16 == 0)
        in_thread();
    if (round % 64 == 0 && two != nullptr)
        torture_libraries(one, two);
}

} // namespace

/* Most blocks live on for a while, so that they are freed from another stack. */
extern "C" void torture_visit() {
    void *&place = ring[visits++ % ring_size];
    free(place);
    place = malloc(1 + visits % 200);
}

unsigned torture_choose(unsigned below) {
    sequence = sequence * 6364136223846793005u + 1442695040888963407u;
    return static_cast<unsigned>(sequence >> 33) % below;
}

int main(int argc, char **argv) {
    if (argc != 2 && argc != 4) {
        fprintf(stderr, "usage: torture ROUNDS [LIBRARY LIBRARY]\n");
        return 2;
    }
    int rounds = atoi(argv[1]);
    for (int round = 0; round < rounds; round++)
        one_round(round, argc == 4 ? argv[2] : nullptr, argc == 4 ? argv[3] : nullptr);
    empty_ring();
    puts("ok");
    return 0;
}
