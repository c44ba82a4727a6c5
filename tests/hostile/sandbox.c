/* sandbox.c chroot|unshare|setuid|filter - a program that takes rights from itself and goes on
 * allocating: another root, other namespaces, another user, or a filter that ends the program at the first
 * system call that an allocating program does not make itself. Status 77 where the kernel refuses. */
#define _GNU_SOURCE
#include "tally.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void refused_if(int failed) {
    if (failed && (errno == EPERM || errno == EINVAL || errno == ENOSPC)) {
        tally_drop_out();
        exit(77);
    }
    CHECK(!failed);
}

#define ALLOW(number)                                                                                        \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* What glibc's malloc, write, close and _exit need, and what libheaptally(7) says that the tracer takes to
 * count. */
static void filter(void) {
    static struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(SYS_write),
        ALLOW(SYS_close),
        ALLOW(SYS_exit_group),
        ALLOW(SYS_brk),
        ALLOW(SYS_mremap),
        ALLOW(SYS_mmap),
        ALLOW(SYS_munmap),
        ALLOW(SYS_mprotect),
        ALLOW(SYS_madvise),
        ALLOW(SYS_getpid),
        ALLOW(SYS_rt_sigprocmask),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
    refused_if(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0);
    refused_if(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0);
}

static __attribute__((noinline)) void *deep(int depth, size_t size_bytes) {
    void *block = depth == 0 ? TAKE(malloc(size_bytes), size_bytes) : deep(depth - 1, size_bytes);
    __asm__ volatile("" ::: "memory"); /* no tail call: each depth is a stack of its own */
    return block;
}

static void allocate(void) {
    void *kept[100];
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 100; i++)
            kept[i] = deep(i, 16 + (size_t)i * 40);
        for (int i = 0; i < 99; i++)
            free(DROP(kept[i]));
    }
}

int main(int argc, char **argv) {
    const char *way = argc > 1 ? argv[1] : "";
    free(DROP(TAKE(malloc(20), 20)));
    tally_open();
    if (strcmp(way, "chroot") == 0)
        refused_if(chroot("/proc/self/fdinfo") != 0 || chdir("/") != 0);
    if (strcmp(way, "unshare") == 0)
        refused_if(unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC) != 0);
    if (strcmp(way, "setuid") == 0)
        refused_if(setgid(65534) != 0 || setuid(65534) != 0);
    if (strcmp(way, "filter") == 0) {
        filter();
        allocate();
        say("filtered\n");
        tally_write();
        _exit(0); /* exit() would have the tracer write its snapshot, which takes openat */
    }
    if (strcmp(way, "chroot") == 0 || strcmp(way, "setuid") == 0)
        tally_note("loss snapshots"); /* the place for the snapshot is out of reach: the image stays */
    allocate();
    say("allocated\n");
    tally_write();
    return 0;
}
