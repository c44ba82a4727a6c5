/* run_summary.h - what `heaptally run` says at the end. */
#ifndef HEAPTALLY_REPORT_RUN_SUMMARY_H
#define HEAPTALLY_REPORT_RUN_SUMMARY_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct run_result {
    const char *program;
    uint32_t pid;
    int wait_status;
    char path[PATH_MAX];       /* the program's last snapshot, "" if there is none */
    bool from_image;           /* it was made from the image that the program left */
    uint64_t more;             /* of its process beside that one: on signals, before an exec */
    uint64_t children;         /* of other processes */
    char other_path[PATH_MAX]; /* the last of these two kinds */
    bool image_stays;          /* an image could not be saved */
    uint64_t running;          /* traced processes that still live */
};

void run_summary_print(const struct run_result *result, FILE *out);

#endif
