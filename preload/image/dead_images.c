/* dead_images.c - see dead_images.h. Looks at names and sizes only, never into a file.
 * Owns:    nothing.
 * Threads: any; two processes that clean at once remove a little more than one would.
 * Signals: safe.  Heap: never. */
#define _GNU_SOURCE
#include "dead_images.h"

#include "../platform/sys.h"
#include "../platform/text.h"
#include "heaptally_format.h"
#include "process.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#define BYTES_MAX ((uint64_t)256 << 20)
#define COUNT_MAX 100u

struct survey {
    uint64_t bytes;
    uint32_t count;
    int64_t oldest_ns;
    char oldest[HT_PATH_BYTES + 300];
};

/* "PID.START.EXEC.htimage": which process it was of. */
static bool parse_name(const char *name, uint64_t *pid, uint64_t *ticks) {
    uint64_t exec_index;
    if (!text_scan_number(&name, pid) || *name++ != '.' || !text_scan_number(&name, ticks) || *name++ != '.')
        return false;
    return text_scan_number(&name, &exec_index) && text_equal(name, HT_IMAGE_SUFFIX);
}

static void look_at(struct survey *survey, const char *directory, const char *name) {
    uint64_t pid, ticks;
    struct stat status;
    char path[sizeof survey->oldest];
    if (!parse_name(name, &pid, &ticks) || process_start_ticks((uint32_t)pid) == ticks)
        return;
    struct text text = text_in(path, sizeof path);
    text_add(&text, directory);
    text_add(&text, "/");
    text_add(&text, name);
    if (text.cut || sys_lstat(path, &status) != 0)
        return;
    survey->bytes += (uint64_t)status.st_blocks * 512;
    survey->count++;
    /* Seconds would not do: a shell's children leave a hundred images in one, and tmpfs lists the youngest
     * first. */
    int64_t changed_ns = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
    if (survey->oldest[0] == '\0' || changed_ns < survey->oldest_ns) {
        survey->oldest_ns = changed_ns;
        memcpy(survey->oldest, path, sizeof path);
    }
}

static bool take_survey(struct survey *survey, const char *directory) {
    _Alignas(struct dirent64) char entries[2048];
    survey->bytes = 0;
    survey->count = 0;
    survey->oldest[0] = '\0';
    int fd = sys_open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0)
        return false;
    long got;
    while ((got = sys_getdents(fd, entries, sizeof entries)) > 0)
        for (long at = 0; at < got;) {
            const struct dirent64 *entry = (const void *)(entries + at);
            look_at(survey, directory, entry->d_name);
            at += entry->d_reclen;
        }
    sys_close(fd);
    return true;
}

void dead_images_bound(const char *directory) {
    struct survey survey;
    for (uint32_t i = 0; i < COUNT_MAX; i++) {
        if (!take_survey(&survey, directory) || (survey.bytes <= BYTES_MAX && survey.count <= COUNT_MAX))
            return;
        if (sys_unlink(survey.oldest) != 0)
            return;
    }
}
