/* leftovers.h - the images that processes of a run left behind: killed, crashed, replaced by exec. */
#ifndef HEAPTALLY_REPORT_LEFTOVERS_H
#define HEAPTALLY_REPORT_LEFTOVERS_H

#include "session.h"
#include "../source/save.h"

struct leftovers {
    uint32_t main_pid;
    char main_path[PATH_MAX]; /* the snapshot made of the main program's last image, "" if there was none */
    uint32_t main_exec_index;
    char other_path[PATH_MAX]; /* one of the other snapshots made, "" if none */
    uint64_t more, children;   /* how many: of the main process beside the last, of others */
    uint64_t running;          /* processes of the session that still live */
    uint64_t failed;
    struct error error; /* of the last failure */
};

/* Makes a snapshot of every dead image of the session and removes the image. Images of other processes than
 * the main one that made no allocation are removed without a word. */
void leftovers_save(struct leftovers *self, const struct session *session,
                    const struct save_options *options);

#endif
