/* bad_frames.c - code that no call frame information describes, with a frame pointer that lies: null,
 * unmapped, odd, pointing at itself, into the heap, at the end of a mapping, at return addresses that are
 * none. It calls an allocating function, as JIT-compiled code does; and a handler allocates on top of a jump
 * to nowhere. A walk must end, and the newest lines be right. */
#define _GNU_SOURCE
#include "tally.h"

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

static void *made;

static __attribute__((noinline)) void make(void) {
    made = TAKE(malloc(90), 90);
    __asm__ volatile("" ::: "memory");
}

#if defined(__x86_64__)
/* push rbp; mov rbp, rsi; call rdi; pop rbp; ret - and the stack kept aligned */
static const unsigned char code[] = {0x55, 0x48, 0x89, 0xf5, 0xff, 0xd7, 0x5d, 0xc3};
#elif defined(__aarch64__)
/* stp x29, x30, [sp, -16]!; mov x29, x1; blr x0; ldp x29, x30, [sp], 16; ret */
static const uint32_t code[] = {0xa9bf7bfd, 0xaa0103fd, 0xd63f0000, 0xa8c17bfd, 0xd65f03c0};
#endif

typedef void (*jit)(void (*function)(void), uintptr_t frame_pointer);

static sigjmp_buf back;

static void on_fault(int number) {
    make();
    siglongjmp(back, number);
}

static void jump_to(uintptr_t address) {
    void (*nowhere)(void);
    memcpy(&nowhere, &address, sizeof nowhere);
    if (sigsetjmp(back, 1) == 0)
        nowhere();
    free(DROP(made));
}

static void jump_to_nowhere(void) {
    const uintptr_t none[] = {
        0, 8, (uintptr_t)1 << 48, (uintptr_t)1 << 49, (uintptr_t)make | (uintptr_t)1 << 49, UINTPTR_MAX};
    struct sigaction action = {.sa_handler = on_fault};
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0 && sigaction(SIGBUS, &action, NULL) == 0);
    for (int round = 0; round < 20; round++)
        for (size_t i = 0; i < sizeof none / sizeof *none; i++)
            jump_to(none[i]);
}

int main(void) {
    uintptr_t itself[4] = {(uintptr_t)itself, 0x1234, 0, 0};
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *place = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED && place != MAP_FAILED && mprotect(page + 4096, 4096, PROT_NONE) == 0);
    memcpy(place, code, sizeof code);
    CHECK(mprotect(place, 4096, PROT_READ | PROT_EXEC) == 0);
    __builtin___clear_cache(place, (char *)place + sizeof code);
    jit compiled;
    memcpy(&compiled, &place, sizeof compiled);
    void *heap = TAKE(calloc(1, 64), 64);
    const uintptr_t returns[][2] = {{0, 0},
                                    {0, (uintptr_t)make | (uintptr_t)1 << 48},
                                    {0, (uintptr_t)make | (uintptr_t)1 << 49},
                                    {0, (uintptr_t)make | (uintptr_t)1 << 63},
                                    {0, (uintptr_t)1 << 49},
                                    {0, UINTPTR_MAX}};
    const uintptr_t lies[] = {(uintptr_t)returns[0],
                              (uintptr_t)returns[1],
                              (uintptr_t)returns[2],
                              (uintptr_t)returns[3],
                              (uintptr_t)returns[4],
                              (uintptr_t)returns[5],
                              0,
                              8,
                              0x10,
                              (uintptr_t)place,
                              0x7fffdeadbeef,
                              0xdeadbeefdeadbee8,
                              (uintptr_t)itself,
                              (uintptr_t)itself + 1,
                              (uintptr_t)heap,
                              (uintptr_t)page + 4088,
                              (uintptr_t)page + 4096,
                              UINTPTR_MAX,
                              UINTPTR_MAX - 7};
    for (int round = 0; round < 50; round++)
        for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
            compiled(make, lies[i]);
            free(DROP(made));
        }
    jump_to_nowhere();
    say("no frame believed\n");
    return 0;
}
