/* sys.h - the one door to the kernel: system calls that touch neither errno nor the heap.
 *
 * Every function returns what the kernel returns: a value >= 0, or -errno. None is a cancellation point.
 * Threads: any.  Signals: safe.  Heap: never. A test may link a twin of sys.c that fails the n-th call. */
#ifndef HEAPTALLY_SYS_H
#define HEAPTALLY_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

int sys_open(const char *path, int flags, unsigned mode);
int sys_close(int fd);
long sys_read(int fd, void *buffer, size_t bytes);
long sys_write(int fd, const void *buffer, size_t bytes);
/* Writes all of it, whatever the kernel takes at a time; 0 or -errno. offset < 0: at the file position. */
int sys_write_all(int fd, const void *buffer, size_t bytes, int64_t offset);
int sys_ftruncate(int fd, uint64_t bytes);
int sys_fallocate(int fd, uint64_t offset, uint64_t bytes);
int sys_lstat(const char *path, struct stat *out);
int sys_mkdir(const char *path, unsigned mode);
/* A file of memory without a name, or -errno. */
int sys_memfd(void);
int sys_unlink(const char *path);
/* Moves a file. replace false: -EEXIST if `to` exists, never a moment in which it is lost. */
int sys_rename(const char *from, const char *to, bool replace);
long sys_readlink(const char *path, char *buffer, size_t bytes);
long sys_getcwd(char *buffer, size_t bytes);
long sys_getdents(int fd, void *buffer, size_t bytes);

/* Null on failure. */
void *sys_map(void *address, size_t bytes, int protection, int flags, int fd);
/* Private zeroed memory, reserved lazily; null on failure. */
void *sys_map_private(size_t bytes);
int sys_unmap(void *address, size_t bytes);
int sys_protect(void *address, size_t bytes, int protection);
int sys_advise(void *address, size_t bytes, int advice);
#ifndef MADV_POPULATE_READ /* Linux 5.14, and so is MADV_POPULATE_WRITE */
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif
/* Moves private memory elsewhere and leaves fresh zero pages in its place, in one step for all threads.
 * Returns where it is, null on failure (before Linux 5.7). */
void *sys_move_pages(void *address, size_t bytes);

/* As the kernel has them: an address, or -errno. What libc's functions add is in hooks/mappings.c. */
long sys_mmap(void *address, size_t bytes, int protection, int flags, int fd, int64_t offset);
long sys_mremap(void *address, size_t old_bytes, size_t new_bytes, int flags, void *new_address);
/* Whether every page of the range is mapped, whatever may be done with it. */
bool sys_is_mapped(uintptr_t address, size_t bytes);

void sys_yield(void);
uint32_t sys_pid(void);
uint32_t sys_parent_pid(void);
uint32_t sys_tid(void);
uint32_t sys_user(void);
/* Whether thread tid of process pid is still there. */
bool sys_thread_exists(uint32_t pid, uint32_t tid);
uint64_t sys_clock_ns(int clock);
/* CLOCK_MONOTONIC, for what asks at every event: by libc, which needs no call of the kernel for it. */
uint64_t sys_now_ns(void);
/* What the kernel maps, protects and gives back at least: 4 KiB on x86-64, up to 64 KiB on aarch64. */
size_t sys_page_bytes(void);
int sys_limit(int resource, struct rlimit *out);
int sys_random(void *buffer, size_t bytes);
/* Whether the word at an address can be read. By a call that libc makes all the time, so no filter forbids
 * it. */
bool sys_readable(const void *address);
/* Copies memory of this process that may be unmapped; true if all of it could be read. */
bool sys_peek(const void *address, void *buffer, size_t bytes);
/* Handler and restorer of a signal, as the kernel has them. */
int sys_signal_restorer(int signal, uintptr_t *restorer);
/* Blocks all signals of the calling thread, libc's own too, and returns which ones were blocked before. */
uint64_t sys_block_signals(void);
void sys_set_signals(uint64_t blocked);
/* Whether the calling thread is on its alternate signal stack. */
bool sys_on_signal_stack(void);
_Noreturn void sys_exit(int status);

#endif
