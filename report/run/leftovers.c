/* leftovers.c - see leftovers.h.
 * Owns:    nothing beyond a call.
 * Holds:   an image is removed only when its snapshot has been written, or when it has nothing to say.
 * Threads: one.  Signals: no.  Heap: yes. */
#include "leftovers.h"
#include "../source/directory.h"
#include "../source/image.h"
#include "../source/model.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool of_session(const struct image_list *list, const struct image_entry *entry, uint64_t session) {
    static struct ht_header header;
    int fd = directory_open(list, entry);
    if (fd < 0)
        return false;
    bool is = image_read_header(fd, entry->name, &header, NULL) && header.session == session;
    close(fd);
    return is;
}

static bool is_empty(const struct tables *tables) {
    struct model *model = model_new(tables, NULL);
    bool empty = model != NULL && model->totals.allocations == 0;
    model_free(model);
    return empty;
}

static void note(struct leftovers *self, const struct image_entry *entry, const char *path) {
    bool is_main = entry->pid == self->main_pid, has_main = self->main_path[0] != '\0';
    if (is_main && (!has_main || entry->exec_index >= self->main_exec_index)) {
        self->more += has_main;
        snprintf(self->main_path, sizeof self->main_path, "%s", path);
        self->main_exec_index = entry->exec_index;
        return;
    }
    *(is_main ? &self->more : &self->children) += 1;
    snprintf(self->other_path, sizeof self->other_path, "%s", path);
}

static bool save(struct leftovers *self, const struct image_list *list, const struct image_entry *entry,
                 const struct save_options *options) {
    char image[PATH_MAX + 128], path[PATH_MAX];
    directory_path(list, entry, image, sizeof image);
    struct tables *tables = image_read(image, false, &self->error);
    if (tables == NULL)
        return false;
    bool silent = entry->pid != self->main_pid && is_empty(tables);
    bool done = silent || save_snapshot(tables, options, path, &self->error);
    if (done && !silent)
        note(self, entry, path);
    tables_free(tables);
    return done;
}

void leftovers_save(struct leftovers *self, const struct session *session,
                    const struct save_options *options) {
    struct image_list list;
    if (!directory_list(session->directory, &list, &self->error)) {
        self->failed++;
        return;
    }
    for (size_t i = 0; i < list.count; i++) {
        const struct image_entry *entry = &list.entries[i];
        if (!of_session(&list, entry, session->number))
            continue;
        if (entry->state == IMAGE_RUNNING)
            self->running++;
        else if (save(self, &list, entry, options))
            directory_remove(&list, entry);
        else
            self->failed++;
    }
    directory_list_free(&list);
}
