/* process.c - reads /proc/self with raw system calls.
 * Owns:    nothing.
 * Threads: any.  Signals: safe.  Heap: never. */
#include "process.h"

#include "../platform/options.h"
#include "../platform/sys.h"
#include "../platform/text.h"
#include "heaptally_format.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

/* Reads at most capacity bytes of a file; how many, 0 on any error. */
static size_t read_file(const char *path, char *out, size_t capacity) {
    int fd = sys_open(path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    size_t used = 0;
    long got = 0;
    while (used < capacity && (got = sys_read(fd, out + used, capacity - used)) > 0)
        used += (size_t)got;
    sys_close(fd);
    return used;
}

uint64_t process_start_ticks(uint32_t pid) {
    char path[64], stat[1024];
    struct text text = text_in(path, sizeof path);
    text_add(&text, "/proc/");
    text_add_number(&text, pid);
    text_add(&text, "/stat");
    size_t got = read_file(path, stat, sizeof stat - 1);
    stat[got] = '\0';
    /* proc(5): field 2 is in parentheses and may hold anything, so count from the last one. */
    const char *at = strrchr(stat, ')');
    if (at == NULL)
        return 0;
    for (int field = 2; field < 22 && at != NULL; field++)
        at = strchr(at + 1, ' ');
    uint64_t ticks = 0;
    if (at == NULL)
        return 0;
    at++;
    return text_scan_number(&at, &ticks) ? ticks : 0;
}

static void read_link(const char *path, char *out, size_t capacity) {
    long got = sys_readlink(path, out, capacity - 1);
    out[got > 0 ? got : 0] = '\0';
}

static const char *last_component(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* As the user called it: the file behind a link may have another name (redis-server is redis-check-rdb in
 * Debian). A login shell's name has a dash before it. */
static void name_program(struct ht_header *header) {
    const char *name = last_component(header->command_line);
    name += *name == '-';
    if (*name == '\0')
        name = last_component(header->executable);
    struct text text = text_in(header->program, sizeof header->program);
    text_add(&text, *name != '\0' ? name : "unknown");
}

void process_describe(struct ht_header *header) {
#if defined(__x86_64__)
    header->machine = EM_X86_64;
#else
    header->machine = EM_AARCH64;
#endif
    header->pointer_bytes = sizeof(void *);
    header->pid = sys_pid();
    header->parent_pid = sys_parent_pid();
    header->user_id = sys_user();
    header->start_ticks = process_start_ticks(header->pid);
    header->created_realtime_ns = sys_clock_ns(CLOCK_REALTIME);
    header->created_monotonic_ns = sys_clock_ns(CLOCK_MONOTONIC);
    read_link("/proc/self/exe", header->executable, sizeof header->executable);
    memcpy(header->working_directory, options.working_directory, sizeof header->working_directory);
    header->command_line_bytes =
        (uint32_t)read_file("/proc/self/cmdline", header->command_line, sizeof header->command_line - 1);
    name_program(header);
}

const char *process_name(const struct ht_header *header) {
    return header->program;
}
