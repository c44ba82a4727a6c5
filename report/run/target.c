/* target.c - see target.h.
 * Owns:    nothing.
 * Threads: any.  Signals: no.  Heap: no. */
#define _GNU_SOURCE
#include "target.h"
#include "needed.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SCRIPTS_MAX         5
#define PROGRAM_HEADERS_MAX 256

#if defined(__x86_64__)
#define OUR_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OUR_MACHINE EM_AARCH64
#else
#error "which e_machine is this?"
#endif

/* ---- finding ---- */

/* 0, or why not. */
static int executable(const char *path) {
    struct stat status;
    if (stat(path, &status) != 0)
        return errno;
    if (S_ISDIR(status.st_mode))
        return EACCES;
    return access(path, X_OK) == 0 ? 0 : errno;
}

static int report(const char *program, int why, struct error *error) {
    bool missing = why == ENOENT || why == ENOTDIR;
    error_set(error, "run: %s: %s", program, missing ? "not found" : strerror(why));
    return missing ? TARGET_NOT_FOUND : TARGET_NOT_EXECUTABLE;
}

int target_find(const char *program, char path[PATH_MAX], struct error *error) {
    const char *at = getenv("PATH");
    int why = ENOENT;
    if (strchr(program, '/') != NULL) {
        snprintf(path, PATH_MAX, "%s", program);
        why = executable(path);
        return why == 0 ? 0 : report(program, why, error);
    }
    for (at = at != NULL ? at : "/bin:/usr/bin"; program[0] != '\0';) {
        size_t length = strcspn(at, ":");
        int written =
            snprintf(path, PATH_MAX, "%.*s%s%s", (int)length, at, length != 0 ? "/" : "./", program);
        int found = written < PATH_MAX ? executable(path) : ENAMETOOLONG;
        if (found == 0)
            return 0;
        if (found == EACCES && access(path, F_OK) == 0) /* not: a directory of PATH that we may not enter */
            why = EACCES;
        if (at[length] == '\0')
            break;
        at += length + 1;
    }
    return report(program, why, error);
}

/* ---- checking ---- */

static int refuse(const char *path, const char *reason, struct error *error) {
    error_set(error, "run: %s: %s", path, reason);
    return TARGET_NOT_EXECUTABLE;
}

/* ld.so(8): in secure-execution mode LD_PRELOAD is ignored. */
static int check_rights(int fd, const char *path, struct error *error) {
    struct stat status;
    if (fstat(fd, &status) != 0)
        return 0;
    if ((status.st_mode & S_ISUID) != 0 && status.st_uid != getuid())
        return refuse(path, "setuid: the loader ignores LD_PRELOAD; run heaptally as the user that owns it",
                      error);
    if ((status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && status.st_gid != getgid())
        return refuse(path, "setgid: the loader ignores LD_PRELOAD; run heaptally in the group that owns it",
                      error);
    if (getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0)
        return refuse(path, "has file capabilities: the loader ignores LD_PRELOAD; trace a copy of it",
                      error);
    return 0;
}

static int check_segments(int fd, const Elf64_Ehdr *header, const char *path, struct error *error) {
    static Elf64_Phdr segments[PROGRAM_HEADERS_MAX];
    size_t count = header->e_phnum < PROGRAM_HEADERS_MAX ? header->e_phnum : PROGRAM_HEADERS_MAX;
    ssize_t wanted = (ssize_t)(count * sizeof *segments);
    if (header->e_phentsize != sizeof *segments ||
        pread(fd, segments, (size_t)wanted, (off_t)header->e_phoff) != wanted)
        return refuse(path, "its program headers cannot be read", error);
    if (needed_library(fd, segments, count, "libasan.so"))
        return refuse(
            path,
            "built with AddressSanitizer, whose library insists on being the first of all and would "
            "end the program; build it without, or with -static-libasan",
            error);
    for (size_t i = 0; i < count; i++)
        if (segments[i].p_type == PT_INTERP)
            return 0;
    return refuse(path,
                  "statically linked: there is no loader that could bring the tracer in; link it dynamically",
                  error);
}

static int check_elf(int fd, const unsigned char *start, const char *path, struct error *error) {
    Elf64_Ehdr header;
    memcpy(&header, start, sizeof header);
    if (start[EI_CLASS] != ELFCLASS64)
        return refuse(path, "a 32-bit program; the tracer is a 64-bit library", error);
    if (start[EI_DATA] != ELFDATA2LSB || header.e_machine != OUR_MACHINE)
        return refuse(path, "a program for another machine", error);
    return check_segments(fd, &header, path, error);
}

/* "#! INTERPRETER [ARGUMENT]" -> INTERPRETER */
static bool interpreter(char *text, char path[PATH_MAX]) {
    char *at = text + 2 + strspn(text + 2, " \t");
    size_t length = strcspn(at, " \t\n");
    if (length == 0 || length >= PATH_MAX)
        return false;
    memcpy(path, at, length);
    path[length] = '\0';
    return true;
}

/* Checks one file. A script's interpreter is written to `next`. */
static int check_open(int fd, const char *path, char next[PATH_MAX], struct error *error) {
    char start[PATH_MAX + 16] = "";
    ssize_t got = pread(fd, start, sizeof start - 1, 0);
    next[0] = '\0';
    if (got >= 2 && memcmp(start, "#!", 2) == 0)
        return interpreter(start, next) ? 0 : refuse(path, "its first line names no interpreter", error);
    if (got < (ssize_t)sizeof(Elf64_Ehdr) || memcmp(start, ELFMAG, SELFMAG) != 0)
        return 0; /* the shell may know what to do with it */
    int refused = check_rights(fd, path, error);
    return refused != 0 ? refused : check_elf(fd, (const unsigned char *)start, path, error);
}

int target_check(const char *path, struct error *error) {
    char current[PATH_MAX], next[PATH_MAX];
    snprintf(current, sizeof current, "%s", path);
    for (int i = 0; i < SCRIPTS_MAX; i++) {
        int fd = open(current, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 && errno == ENOENT) {
            error_set(error, "run: %s: its interpreter %s was not found", path, current);
            return TARGET_NOT_EXECUTABLE;
        }
        if (fd < 0)
            return 0;
        int refused = check_open(fd, current, next, error);
        close(fd);
        if (refused != 0 || next[0] == '\0')
            return refused;
        memcpy(current, next, sizeof current);
    }
    return 0;
}
