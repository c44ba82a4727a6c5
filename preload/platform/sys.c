/* sys.c - raw system calls of x86-64 and aarch64.
 * Owns:    nothing.
 * Threads: any.  Signals: safe.  Heap: never.  errno: never touched. */
#define _GNU_SOURCE
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#if defined(__x86_64__)
/* System V ABI, AMD64 supplement, A.2.1: rcx and r11 are lost. */
static long call6(long number, long a, long b, long c, long d, long e, long f) {
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
static long call6(long number, long a, long b, long c, long d, long e, long f) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory", "cc");
    return x0;
}
#else
#error "heaptally knows the system calls of x86-64 and aarch64 only: add call6() here"
#endif

static long call3(long number, long a, long b, long c) {
    return call6(number, a, b, c, 0, 0, 0);
}

int sys_open(const char *path, int flags, unsigned mode) {
    return (int)call6(SYS_openat, AT_FDCWD, (long)path, flags, (long)mode, 0, 0);
}

int sys_close(int fd) {
    return (int)call3(SYS_close, fd, 0, 0);
}

long sys_read(int fd, void *buffer, size_t bytes) {
    long got;
    do
        got = call3(SYS_read, fd, (long)buffer, (long)bytes);
    while (got == -EINTR);
    return got;
}

long sys_write(int fd, const void *buffer, size_t bytes) {
    return call3(SYS_write, fd, (long)buffer, (long)bytes);
}

int sys_write_all(int fd, const void *buffer, size_t bytes, int64_t offset) {
    const char *next = buffer;
    while (bytes != 0) {
        long done = offset < 0 ? sys_write(fd, next, bytes)
                               : call6(SYS_pwrite64, fd, (long)next, (long)bytes, offset, 0, 0);
        if (done == -EINTR)
            continue;
        if (done <= 0)
            return done < 0 ? (int)done : -ENOSPC;
        next += done;
        bytes -= (size_t)done;
        offset = offset < 0 ? offset : offset + done;
    }
    return 0;
}

int sys_ftruncate(int fd, uint64_t bytes) {
    return (int)call3(SYS_ftruncate, fd, (long)bytes, 0);
}

int sys_fallocate(int fd, uint64_t offset, uint64_t bytes) {
    return (int)call6(SYS_fallocate, fd, 0, (long)offset, (long)bytes, 0, 0);
}

int sys_lstat(const char *path, struct stat *out) {
    return (int)call6(SYS_newfstatat, AT_FDCWD, (long)path, (long)out, AT_SYMLINK_NOFOLLOW, 0, 0);
}

int sys_mkdir(const char *path, unsigned mode) {
    return (int)call3(SYS_mkdirat, AT_FDCWD, (long)path, (long)mode);
}

int sys_memfd(void) {
    return (int)call3(SYS_memfd_create, (long)"heaptally", 1 /* MFD_CLOEXEC */, 0);
}

int sys_unlink(const char *path) {
    return (int)call3(SYS_unlinkat, AT_FDCWD, (long)path, 0);
}

/* For file systems without RENAME_NOREPLACE. */
static int rename_by_link(const char *from, const char *to) {
    int error = (int)call6(SYS_linkat, AT_FDCWD, (long)from, AT_FDCWD, (long)to, 0, 0);
    return error != 0 ? error : sys_unlink(from);
}

int sys_rename(const char *from, const char *to, bool replace) {
    long flags = replace ? 0 : RENAME_NOREPLACE;
    int error = (int)call6(SYS_renameat2, AT_FDCWD, (long)from, AT_FDCWD, (long)to, flags, 0);
    return error == -EINVAL && !replace ? rename_by_link(from, to) : error;
}

long sys_readlink(const char *path, char *buffer, size_t bytes) {
    return call6(SYS_readlinkat, AT_FDCWD, (long)path, (long)buffer, (long)bytes, 0, 0);
}

long sys_getcwd(char *buffer, size_t bytes) {
    return call3(SYS_getcwd, (long)buffer, (long)bytes, 0);
}

long sys_getdents(int fd, void *buffer, size_t bytes) {
    return call3(SYS_getdents64, fd, (long)buffer, (long)bytes);
}

void *sys_map(void *address, size_t bytes, int protection, int flags, int fd) {
    long at = call6(SYS_mmap, (long)address, (long)bytes, protection, flags, fd, 0);
    return at < 0 && at > -4096 ? NULL : (void *)at;
}

void *sys_map_private(size_t bytes) {
    return sys_map(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
}

int sys_unmap(void *address, size_t bytes) {
#if defined(__SANITIZE_THREAD__) /* sees no system call, and would hold whoever maps it next for a sharer */
    return sys_advise(address, bytes, MADV_DONTNEED);
#else
    return (int)call3(SYS_munmap, (long)address, (long)bytes, 0);
#endif
}

int sys_protect(void *address, size_t bytes, int protection) {
    return (int)call3(SYS_mprotect, (long)address, (long)bytes, protection);
}

int sys_advise(void *address, size_t bytes, int advice) {
    return (int)call3(SYS_madvise, (long)address, (long)bytes, advice);
}

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4 /* Linux 5.7 */
#endif

void *sys_move_pages(void *address, size_t bytes) {
    long at =
        call6(SYS_mremap, (long)address, (long)bytes, (long)bytes, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0, 0);
    return at < 0 && at > -4096 ? NULL : (void *)at;
}

long sys_mmap(void *address, size_t bytes, int protection, int flags, int fd, int64_t offset) {
    return call6(SYS_mmap, (long)address, (long)bytes, protection, flags, fd, offset);
}

long sys_mremap(void *address, size_t old_bytes, size_t new_bytes, int flags, void *new_address) {
    return call6(SYS_mremap, (long)address, (long)old_bytes, (long)new_bytes, flags, (long)new_address, 0);
}

/* MS_ASYNC does nothing, since Linux 2.6.19, but to look for gaps. */
bool sys_is_mapped(uintptr_t address, size_t bytes) {
    return call3(SYS_msync, (long)address, (long)bytes, MS_ASYNC) != -ENOMEM;
}

void sys_yield(void) {
    call3(SYS_sched_yield, 0, 0, 0);
}

uint32_t sys_pid(void) {
    return (uint32_t)call3(SYS_getpid, 0, 0, 0);
}

uint32_t sys_parent_pid(void) {
    return (uint32_t)call3(SYS_getppid, 0, 0, 0);
}

uint32_t sys_tid(void) {
    return (uint32_t)call3(SYS_gettid, 0, 0, 0);
}

uint32_t sys_user(void) {
    return (uint32_t)call3(SYS_geteuid, 0, 0, 0);
}

bool sys_thread_exists(uint32_t pid, uint32_t tid) {
    return call3(SYS_tgkill, (long)pid, (long)tid, 0) != -ESRCH;
}

uint64_t sys_clock_ns(int clock) {
    struct timespec now = {0, 0};
    call3(SYS_clock_gettime, clock, (long)&now, 0);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t sys_now_ns(void) {
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail, and so leaves errno alone */
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

size_t sys_page_bytes(void) {
    static size_t bytes; /* (atomic) */
    size_t known = __atomic_load_n(&bytes, __ATOMIC_RELAXED);
    if (known == 0)
        __atomic_store_n(&bytes, known = getauxval(AT_PAGESZ), __ATOMIC_RELAXED);
    return known;
}

int sys_limit(int resource, struct rlimit *out) {
    return (int)call6(SYS_prlimit64, 0, resource, 0, (long)out, 0, 0);
}

int sys_random(void *buffer, size_t bytes) {
    long got = call3(SYS_getrandom, (long)buffer, (long)bytes, 0);
    return got == (long)bytes ? 0 : got < 0 ? (int)got : -EAGAIN;
}

/* The kernel reads the set before it looks at what is to be done with it, which is nothing here. */
bool sys_readable(const void *address) {
    return call6(SYS_rt_sigprocmask, 99, (long)address, 0, sizeof(uint64_t), 0, 0) != -EFAULT;
}

bool sys_peek(const void *address, void *buffer, size_t bytes) {
    struct iovec to = {buffer, bytes};
    struct iovec from = {(void *)(uintptr_t)address, bytes};
    long got = call6(SYS_process_vm_readv, (long)sys_pid(), (long)&to, 1, (long)&from, 1, 0);
    return got == (long)bytes;
}

int sys_signal_restorer(int signal, uintptr_t *restorer) {
    /* The kernel's struct sigaction, asm-generic/signal.h, differs from libc's. */
    struct {
        uintptr_t handler, flags, restorer;
        uint64_t mask;
    } now = {0, 0, 0, 0};
    int error = (int)call6(SYS_rt_sigaction, signal, 0, (long)&now, sizeof now.mask, 0, 0);
    *restorer = now.restorer;
    return error;
}

uint64_t sys_block_signals(void) {
    const uint64_t all = UINT64_MAX;
    uint64_t before = 0;
    call6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)&before, sizeof all, 0, 0);
    return before;
}

void sys_set_signals(uint64_t blocked) {
    call6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&blocked, 0, sizeof blocked, 0, 0);
}

bool sys_on_signal_stack(void) {
    stack_t now = {.ss_flags = 0};
    return call3(SYS_sigaltstack, 0, (long)&now, 0) == 0 && (now.ss_flags & SS_ONSTACK) != 0;
}

_Noreturn void sys_exit(int status) {
    for (;;)
        call3(SYS_exit_group, status, 0, 0);
}
