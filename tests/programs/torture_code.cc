/* torture_code.cc - frames of code that was made at run time, and of code that was interrupted anywhere. */
#include "torture.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
#include <ucontext.h>

#define OUT_OF_LINE __attribute__((noinline))
#define USE(room)   __asm__ volatile("" ::"r"(room) : "memory")
#define AFTER_CALL  __asm__ volatile("" ::: "memory") /* keeps the call from being a jump */

namespace {

/* A function that calls its argument, as a compiler of another language may emit it. */
#if defined(__x86_64__)
const unsigned char with_frame_pointer[] = {
    0x55,             /* push %rbp */
    0x48, 0x89, 0xe5, /* mov  %rsp, %rbp */
    0xff, 0xd7,       /* call *%rdi */
    0x5d,             /* pop  %rbp */
    0xc3,             /* ret */
};
const unsigned char without_frame_pointer[] = {
    0x48, 0x83, 0xec, 0x18, /* sub  $24, %rsp */
    0xff, 0xd7,             /* call *%rdi */
    0x48, 0x83, 0xc4, 0x18, /* add  $24, %rsp */
    0xc3,                   /* ret */
};
#elif defined(__aarch64__)
const unsigned char with_frame_pointer[] = {
    0xfd, 0x7b, 0xbf, 0xa9, /* stp  x29, x30, [sp, #-16]! */
    0xfd, 0x03, 0x00, 0x91, /* mov  x29, sp */
    0x00, 0x00, 0x3f, 0xd6, /* blr  x0 */
    0xfd, 0x7b, 0xc1, 0xa8, /* ldp  x29, x30, [sp], #16 */
    0xc0, 0x03, 0x5f, 0xd6, /* ret */
};
const unsigned char without_frame_pointer[] = {
    0xfe, 0x0f, 0x1f, 0xf8, /* str  x30, [sp, #-16]! */
    0x00, 0x00, 0x3f, 0xd6, /* blr  x0 */
    0xfe, 0x07, 0x41, 0xf8, /* ldr  x30, [sp], #16 */
    0xc0, 0x03, 0x5f, 0xd6, /* ret */
};
#else
#error "machine code of this architecture is not known here"
#endif

using generated = void (*)(void (*)());

constexpr size_t page_bytes = 65536; /* of any kernel */
constexpr size_t page_functions = 16;
void *page;

/* Fills the page with functions, each of the one kind or the other. */
void write_code() {
    if (page == nullptr)
        page = mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED || mprotect(page, page_bytes, PROT_READ | PROT_WRITE) != 0)
        abort();
    auto *at = static_cast<unsigned char *>(page);
    for (size_t i = 0; i < page_functions; i++, at += 64)
        if (torture_choose(2) == 0)
            memcpy(at, with_frame_pointer, sizeof with_frame_pointer);
        else
            memcpy(at, without_frame_pointer, sizeof without_frame_pointer);
    __builtin___clear_cache(static_cast<char *>(page), static_cast<char *>(page) + page_bytes);
    if (mprotect(page, page_bytes, PROT_READ | PROT_EXEC) != 0)
        abort();
}

generated pick() {
    void *code = static_cast<char *>(page) + 64 * torture_choose(page_functions);
    generated function;
    memcpy(&function, &code, sizeof function);
    return function;
}

int generated_depth;

/* Our code between two generated frames, with a frame of its own. */
OUT_OF_LINE void between() {
    char room[24];
    USE(room);
    torture_visit();
    if (generated_depth-- > 0)
        pick()(between);
    USE(room);
}

} // namespace

void torture_generated_code() {
    if (page == nullptr || torture_choose(4) == 0)
        write_code();
    generated_depth = static_cast<int>(torture_choose(5));
    pick()(between);
    pick()(torture_visit);
    if (torture_choose(8) == 0) {
        munmap(page, page_bytes);
        page = nullptr;
    }
}

#if defined(__x86_64__)

namespace {

volatile int stepped_sum;

/* Prologues and epilogues of several kinds; none of them may allocate, since the handler does. */
OUT_OF_LINE void stepped_leaf(int depth) {
    stepped_sum = stepped_sum + depth;
}

OUT_OF_LINE void stepped_saving(int depth) {
    int a = stepped_sum, b = a * 3, c = b ^ depth, d = c + a;
    char room[40];
    USE(room);
    stepped_leaf(depth);
    stepped_sum = a + b + c + d;
}

OUT_OF_LINE void stepped_realigned(int depth) {
    alignas(64) char room[128];
    USE(room);
    stepped_saving(depth);
    USE(room);
}

OUT_OF_LINE void stepped(int depth) {
    size_t bytes = static_cast<size_t>(16 + depth * 8);
    void *room = __builtin_alloca(bytes);
    USE(room);
    stepped_realigned(depth);
    if (depth > 0)
        stepped(depth - 1);
    USE(room);
}

volatile sig_atomic_t stepping;

/* The trap flag makes a SIGTRAP after each instruction of what is returned to; the kernel clears it for the
 * handler. Set and cleared here, so that no instruction of ours is without call frame information. */
void at_instruction(int, siginfo_t *, void *context) {
    constexpr greg_t trap_flag = 0x100;
    greg_t &flags = static_cast<ucontext_t *>(context)->uc_mcontext.gregs[REG_EFL];
    flags = stepping ? flags | trap_flag : flags & ~trap_flag;
    torture_visit();
}

} // namespace

/* From the last instructions of raise() on. */
void torture_every_instruction() {
    struct sigaction action = {}, before;
    action.sa_sigaction = at_instruction;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGTRAP, &action, &before);
    stepping = 1;
    raise(SIGTRAP);
    stepped(static_cast<int>(torture_choose(3)));
    stepping = 0;
    AFTER_CALL;
    sigaction(SIGTRAP, &before, nullptr);
}

#else

void torture_every_instruction() {}

#endif
