/* fixture_shapes.cc - stacks of every shape that an unwinder meets, each calling `visit` from inside.
 * Recursion, alloca, realigned frames, callbacks through libc, exceptions, longjmp, signal handlers on the
 * normal and on an alternate stack, coroutines on fresh and on recycled stacks, threads. By a seeded choice,
 * so that consecutive stacks share more or less of each other. */
#include <alloca.h>
#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <sys/mman.h>
#include <ucontext.h>

#define OUT_OF_LINE __attribute__((noinline))
#define USE(room)   __asm__ volatile("" ::"r"(room) : "memory")
#define AFTER_CALL  __asm__ volatile("" ::: "memory") /* keeps the call from being a jump */

namespace {

void (*visit)();
uint64_t seed;

unsigned choose(unsigned below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return static_cast<unsigned>(seed >> 33) % below;
}

OUT_OF_LINE void leaf() {
    visit();
    AFTER_CALL;
}

void descend(int depth);

OUT_OF_LINE void with_alloca(int depth) {
    void *room = alloca(16 + choose(400));
    USE(room);
    leaf();
    descend(depth - 1);
    USE(room);
}

OUT_OF_LINE void realigned(int depth) {
    alignas(128) char room[256];
    USE(room);
    descend(depth - 1);
    USE(room);
}

OUT_OF_LINE void realigned_with_alloca(int depth) {
    alignas(64) char room[64];
    void *more = alloca(32 + choose(200));
    USE(room);
    USE(more);
    leaf();
    descend(depth - 1);
    USE(room);
}

OUT_OF_LINE void plain(int depth) {
    char room[40];
    USE(room);
    descend(depth - 1);
    USE(room);
}

OUT_OF_LINE void descend(int depth) {
    if (depth <= 0 || choose(4) == 0)
        leaf();
    if (depth <= 0)
        return;
    switch (choose(4)) {
    case 0: with_alloca(depth); break;
    case 1: realigned(depth); break;
    case 2: realigned_with_alloca(depth); break;
    default: plain(depth); break;
    }
    AFTER_CALL;
}

int compare(const void *a, const void *b) {
    leaf();
    return *static_cast<const int *>(a) - *static_cast<const int *>(b);
}

OUT_OF_LINE void from_libc() {
    int numbers[8];
    for (int &number : numbers)
        number = static_cast<int>(choose(100));
    qsort(numbers, 8, sizeof *numbers, compare);
}

OUT_OF_LINE void throwing(int depth) {
    descend(2);
    if (depth == 0)
        throw std::runtime_error("thrown");
    throwing(depth - 1);
    AFTER_CALL;
}

OUT_OF_LINE void catching() {
    try {
        throwing(static_cast<int>(choose(5)));
    } catch (const std::exception &) {
        leaf();
    }
}

jmp_buf home;

OUT_OF_LINE void jumping(int depth) {
    leaf();
    if (depth > 0)
        jumping(depth - 1);
    else if (choose(8) != 0)
        longjmp(home, 1);
    AFTER_CALL;
}

OUT_OF_LINE void jump() {
    if (setjmp(home) == 0)
        jumping(static_cast<int>(choose(6)));
    leaf();
}

void handler(int) {
    descend(static_cast<int>(choose(4)));
}

OUT_OF_LINE void interrupted(bool alternate) {
    static char room[65536];
    stack_t stack = {};
    struct sigaction action = {}, before;
    stack.ss_sp = room;
    stack.ss_size = sizeof room;
    sigaltstack(&stack, nullptr);
    action.sa_handler = handler;
    action.sa_flags = alternate ? SA_ONSTACK : 0;
    sigaction(SIGUSR1, &action, &before);
    raise(SIGUSR1);
    sigaction(SIGUSR1, &before, nullptr);
}

constexpr size_t coroutine_bytes = 262144;
ucontext_t main_context, coroutine_context;
bool running;

void coroutine() {
    for (int i = 0; i < 3; i++) {
        descend(static_cast<int>(choose(5)));
        swapcontext(&coroutine_context, &main_context);
    }
    running = false;
}

OUT_OF_LINE void switching() {
    static void *room;
    if (room == nullptr)
        room = mmap(nullptr, coroutine_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    getcontext(&coroutine_context);
    coroutine_context.uc_stack.ss_sp = room;
    coroutine_context.uc_stack.ss_size = coroutine_bytes;
    coroutine_context.uc_link = &main_context;
    makecontext(&coroutine_context, coroutine, 0);
    for (running = true; running;) {
        swapcontext(&main_context, &coroutine_context);
        leaf();
    }
    if (choose(4) == 0) {
        munmap(room, coroutine_bytes);
        room = nullptr;
    }
}

} // namespace

/* Calls `visitor` from many stacks; which, depends on `start`. */
extern "C" void shapes_walk(void (*visitor)(), uint64_t start, int rounds) {
    visit = visitor;
    seed = start;
    for (int i = 0; i < rounds; i++) {
        descend(static_cast<int>(choose(14)));
        from_libc();
        catching();
        jump();
        interrupted(choose(2) == 0);
        switching();
    }
}
