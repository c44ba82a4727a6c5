/* faulty_sys.c - the twin of preload/platform/sys.c: the same door to the kernel, in which the n-th call
 * fails.
 *
 * In the environment: FAULT_COUNT=FILE, which holds three words of 8 bytes:
 *     calls    counted up by every call of every process that has the file
 *     at       the call that fails; 0: none
 *     from     every call from this one on fails; 0: none
 * Without it nothing fails. A failure is one that the kernel may give, the call has no effect then; a failed
 * write has written half.
 *
 * Owns: the mapping of the file.  Threads: any.  Signals: safe.  Heap: never. */
#define _GNU_SOURCE
#include "platform/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

int door_open(const char *path, int flags, unsigned mode);
long door_read(int fd, void *buffer, size_t bytes);
long door_write(int fd, const void *buffer, size_t bytes);
int door_write_all(int fd, const void *buffer, size_t bytes, int64_t offset);
int door_ftruncate(int fd, uint64_t bytes);
int door_fallocate(int fd, uint64_t offset, uint64_t bytes);
int door_lstat(const char *path, struct stat *out);
int door_mkdir(const char *path, unsigned mode);
int door_memfd(void);
int door_unlink(const char *path);
int door_rename(const char *from, const char *to, bool replace);
long door_readlink(const char *path, char *buffer, size_t bytes);
long door_getcwd(char *buffer, size_t bytes);
long door_getdents(int fd, void *buffer, size_t bytes);
void *door_map(void *address, size_t bytes, int protection, int flags, int fd);
void *door_map_private(size_t bytes);
int door_protect(void *address, size_t bytes, int protection);
int door_advise(void *address, size_t bytes, int advice);
int door_limit(int resource, struct rlimit *out);
int door_random(void *buffer, size_t bytes);
bool door_peek(const void *address, void *buffer, size_t bytes);
int door_signal_restorer(int signal, uintptr_t *restorer);

#define VARIABLE "FAULT_COUNT="

static struct plan { uint64_t calls, at, from; /* calls: (atomic) */ } nothing, *plan;

/* libc may not have started yet: the kernel has the environment. */
static const char *file_name(char *text, size_t bytes) {
    int fd = door_open("/proc/self/environ", O_RDONLY | O_CLOEXEC, 0);
    size_t used = 0;
    for (long got; fd >= 0 && (got = door_read(fd, text + used, bytes - 1 - used)) > 0;)
        used += (size_t)got;
    sys_close(fd);
    text[used] = '\0';
    for (size_t at = 0; at < used; at += strlen(text + at) + 1)
        if (strncmp(text + at, VARIABLE, sizeof VARIABLE - 1) == 0)
            return text + at + sizeof VARIABLE - 1;
    return NULL;
}

static struct plan *read_plan(void) {
    static char text[65536];
    const char *name = file_name(text, sizeof text);
    int fd = name != NULL ? door_open(name, O_RDWR | O_CLOEXEC, 0) : -1;
    void *mapped = fd >= 0 ? door_map(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, fd) : NULL;
    if (fd >= 0)
        sys_close(fd);
    return mapped != NULL ? mapped : &nothing;
}

static bool fails(void) {
    if (plan == NULL)
        plan = read_plan();
    if (plan == &nothing)
        return false;
    uint64_t call = __atomic_add_fetch(&plan->calls, 1, __ATOMIC_RELAXED);
    return call == plan->at || (plan->from != 0 && call >= plan->from);
}

int sys_open(const char *path, int flags, unsigned mode) {
    return fails() ? -EMFILE : door_open(path, flags, mode);
}

long sys_read(int fd, void *buffer, size_t bytes) {
    return fails() ? -EIO : door_read(fd, buffer, bytes);
}

long sys_write(int fd, const void *buffer, size_t bytes) {
    return fails() ? -ENOSPC : door_write(fd, buffer, bytes);
}

int sys_write_all(int fd, const void *buffer, size_t bytes, int64_t offset) {
    if (!fails())
        return door_write_all(fd, buffer, bytes, offset);
    door_write_all(fd, buffer, bytes / 2, offset);
    return -ENOSPC;
}

int sys_ftruncate(int fd, uint64_t bytes) {
    return fails() ? -EFBIG : door_ftruncate(fd, bytes);
}

int sys_fallocate(int fd, uint64_t offset, uint64_t bytes) {
    return fails() ? -ENOSPC : door_fallocate(fd, offset, bytes);
}

int sys_lstat(const char *path, struct stat *out) {
    return fails() ? -EACCES : door_lstat(path, out);
}

int sys_mkdir(const char *path, unsigned mode) {
    return fails() ? -EROFS : door_mkdir(path, mode);
}

int sys_memfd(void) {
    return fails() ? -ENFILE : door_memfd();
}

int sys_unlink(const char *path) {
    return fails() ? -EROFS : door_unlink(path);
}

int sys_rename(const char *from, const char *to, bool replace) {
    return fails() ? -EROFS : door_rename(from, to, replace);
}

long sys_readlink(const char *path, char *buffer, size_t bytes) {
    return fails() ? -EACCES : door_readlink(path, buffer, bytes);
}

long sys_getcwd(char *buffer, size_t bytes) {
    return fails() ? -ENOENT : door_getcwd(buffer, bytes);
}

long sys_getdents(int fd, void *buffer, size_t bytes) {
    return fails() ? -EIO : door_getdents(fd, buffer, bytes);
}

void *sys_map(void *address, size_t bytes, int protection, int flags, int fd) {
    return fails() ? NULL : door_map(address, bytes, protection, flags, fd);
}

void *sys_map_private(size_t bytes) {
    return fails() ? NULL : door_map_private(bytes);
}

int sys_protect(void *address, size_t bytes, int protection) {
    return fails() ? -ENOMEM : door_protect(address, bytes, protection);
}

int sys_advise(void *address, size_t bytes, int advice) {
    return fails() ? -ENOMEM : door_advise(address, bytes, advice);
}

int sys_limit(int resource, struct rlimit *out) {
    return fails() ? -EPERM : door_limit(resource, out);
}

int sys_random(void *buffer, size_t bytes) {
    return fails() ? -EAGAIN : door_random(buffer, bytes);
}

bool sys_peek(const void *address, void *buffer, size_t bytes) {
    return !fails() && door_peek(address, buffer, bytes);
}

int sys_signal_restorer(int signal, uintptr_t *restorer) {
    return fails() ? -EINVAL : door_signal_restorer(signal, restorer);
}
