/* rebuilt.c - see rebuilt.h.
 * Owns:    nothing.
 * Threads: one.  Signals: no.  Heap: yes. */
#include "rebuilt.h"

#include "../render/harmless.h"

#include <stdlib.h>
#include <string.h>

/* Once for each pair of builds; a build of the reference is told of only if it has no other to tell of. */
static bool worth_telling(const struct build *build) {
    if (build->as == build)
        return build->comparing == COMPARED_BLINDLY;
    return build->as != NULL && (build->id[0] == '\0' || strcmp(build->id, build->as->id) != 0);
}

static const char *compared_by(enum comparing comparing) {
    switch (comparing) {
    case COMPARED_BY_LINE: return "function and line";
    case COMPARED_BY_FUNCTION: return "function";
    case COMPARED_BLINDLY: return "offset";
    default: return NULL;
    }
}

static const char *id_of(const struct build *build) {
    return build->id[0] != '\0' ? build->id : "none";
}

static void put_comparison(const struct build *build, FILE *out) {
    if (build->comparing == COMPARED_BLINDLY) {
        fputs(" has no build-id that would say whether it was rebuilt, and is compared as one build", out);
        return;
    }
    if (strcmp(build->path, build->as->path) != 0) {
        fputs(", then ", out);
        harmless_put(out, build->path);
        fputc(',', out);
    }
    fprintf(out, " was rebuilt (build-id %s, now %s): ", id_of(build), id_of(build->as));
    if (build->comparing == COMPARED_NOT)
        fputs("its rows stand for themselves (-k module compares it as a whole)", out);
    else
        fprintf(out, "compared by %s", compared_by(build->comparing));
    if (build->reason != NULL) {
        fputs("; ", out);
        harmless_put(out, build->reason);
    }
}

void rebuilt_warn(const struct builds *builds, const char *command, FILE *out) {
    for (size_t i = 0; i < builds_count(builds); i++) {
        const struct build *build = builds_at(builds, i);
        if (!worth_telling(build))
            continue;
        fprintf(out, "heaptally: %s: ", command);
        harmless_put(out, build->as->path);
        put_comparison(build, out);
        fputc('\n', out);
    }
}

struct view_rebuilt *rebuilt_view(const struct builds *builds, size_t *count) {
    struct view_rebuilt *rows = builds != NULL ? calloc(builds_count(builds) + 1, sizeof *rows) : NULL;
    *count = 0;
    for (size_t i = 0; rows != NULL && i < builds_count(builds); i++) {
        const struct build *build = builds_at(builds, i);
        if (worth_telling(build))
            rows[(*count)++] = (struct view_rebuilt){
                .module = build->as->path,
                .build = build->as->id[0] != '\0' ? build->as->id : NULL,
                .old_module = build->path,
                .old_build = build->id[0] != '\0' ? build->id : NULL,
                .compared_by = compared_by(build->comparing),
                .reason = build->reason,
            };
    }
    return rows;
}
