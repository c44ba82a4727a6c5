/* builds.c - see builds.h.
 * Owns:    the builds, and where the reference's functions begin.
 * Holds:   a build is known by path and build-id, and is there once, whichever sources have it.
 * Threads: one.  Signals: no.  Heap: yes. */
#define _GNU_SOURCE
#include "builds.h"
#include "interner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_MAX 64

struct entry {
    struct build build;
    size_t module;         /* the symboliser's */
    uint64_t address;      /* of some call in it */
    bool referred;         /* of the reference */
    bool namesake;         /* some source has another module of that file name */
    size_t sources, added; /* how many sources have it; the last of them */
};

/* Where a function of the reference begins. */
struct beginning {
    const char *file;
    uint32_t line;
    bool ambiguous; /* there are several files of that name with such a function */
};

struct builds {
    struct symbols *symbols;
    struct entry **entries; /* each is allocated by itself: builds are pointed to */
    size_t count, sources;
    uint32_t pid;
    uint64_t start_ticks;
    bool several_processes;
    struct interner *functions; /* "FUNCTION\nFILE", and the same with the last part of FILE */
    struct beginning *beginnings;
    size_t room;
};

struct builds *builds_new(struct symbols *symbols) {
    struct builds *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->symbols = symbols;
    self->functions = interner_new();
    if (self->functions != NULL)
        return self;
    builds_free(self);
    return NULL;
}

void builds_free(struct builds *self) {
    if (self == NULL)
        return;
    for (size_t i = 0; i < self->count; i++)
        free(self->entries[i]);
    free(self->entries);
    free(self->beginnings);
    interner_free(self->functions);
    free(self);
}

void build_text(const struct tables *tables, uint32_t module, char text[BUILD_TEXT_BYTES]) {
    const struct ht_module *from = tables_module(tables, module);
    text[0] = '\0';
    for (size_t i = 0; i < from->build_id_bytes && i < HT_BUILD_ID_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", from->build_id[i]);
}

/* ---- adding ---- */

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static size_t length_of(const char *path) {
    static const char suffix[] = " (deleted)";
    size_t length = strlen(path), cut = sizeof suffix - 1;
    return length > cut && strcmp(path + length - cut, suffix) == 0 ? length - cut : length;
}

static struct entry *find(const struct builds *self, const struct tables *tables, uint32_t module) {
    const char *path = tables_module_path(tables, module);
    char id[BUILD_TEXT_BYTES];
    size_t length = length_of(path);
    build_text(tables, module, id);
    for (size_t i = 0; i < self->count; i++) {
        const struct build *build = &self->entries[i]->build;
        if (strcmp(build->id, id) == 0 && strncmp(build->path, path, length) == 0 &&
            build->path[length] == '\0')
            return self->entries[i];
    }
    return NULL;
}

static size_t add_symbols(struct builds *self, const struct tables *tables, uint32_t module) {
    const struct ht_module *from = tables_module(tables, module);
    size_t bytes = from->build_id_bytes <= HT_BUILD_ID_BYTES ? from->build_id_bytes : 0;
    struct symbols_module wanted = {tables_module_path(tables, module), from->build_id, bytes};
    return symbols_add_module(self->symbols, &wanted);
}

static struct entry *add(struct builds *self, const struct tables *tables, uint32_t module) {
    const char *path = tables_module_path(tables, module);
    size_t length = length_of(path);
    struct entry **more = realloc(self->entries, (self->count + 1) * sizeof(struct entry *));
    if (more != NULL)
        self->entries = more;
    struct entry *entry = more != NULL ? calloc(1, sizeof *entry + length + 1) : NULL;
    if (entry == NULL)
        return NULL;
    entry->build.path = memcpy(entry + 1, path, length);
    build_text(tables, module, entry->build.id);
    entry->module = add_symbols(self, tables, module);
    self->entries[self->count++] = entry;
    return entry;
}

static bool add_module(struct builds *self, const struct tables *tables, const struct ht_pc *pc) {
    struct entry *entry = find(self, tables, pc->module);
    if (entry == NULL && (entry = add(self, tables, pc->module)) == NULL)
        return false;
    entry->address = pc->pc - 1 - tables_module(tables, pc->module)->load_bias;
    entry->sources += entry->added != self->sources;
    entry->added = self->sources;
    return true;
}

static void note_namesakes(struct builds *self) {
    for (size_t i = 0; i < self->count; i++)
        for (size_t j = 0; j < i; j++) {
            struct entry *one = self->entries[i], *other = self->entries[j];
            if (one->added == self->sources && other->added == self->sources &&
                strcmp(last_part(one->build.path), last_part(other->build.path)) == 0 &&
                strcmp(one->build.path, other->build.path) != 0)
                one->namesake = other->namesake = true;
        }
}

static void note_process(struct builds *self, const struct ht_header *header) {
    if (self->sources++ == 0) {
        self->pid = header->pid;
        self->start_ticks = header->start_ticks;
    }
    if (self->pid != header->pid || self->start_ticks != header->start_ticks)
        self->several_processes = true;
}

bool builds_add(struct builds *self, const struct tables *tables, struct error *error) {
    uint32_t modules = tables->region[HT_REGION_MODULES].count;
    bool *seen = calloc(modules + (size_t)1, sizeof *seen), good = seen != NULL;
    note_process(self, &tables->header);
    for (uint32_t i = 1; good && i < tables->region[HT_REGION_PCS].count; i++) {
        const struct ht_pc *pc = tables_pc(tables, i);
        if (pc->module == 0 || pc->module >= modules || seen[pc->module] ||
            tables_source_file(tables, pc->module) != NULL)
            continue;
        seen[pc->module] = true;
        good = add_module(self, tables, pc);
    }
    free(seen);
    note_namesakes(self);
    return good || error_out_of_memory(error);
}

const struct build *builds_find(const struct builds *self, const struct tables *tables, uint32_t module) {
    struct entry *entry = find(self, tables, module);
    return entry != NULL ? &entry->build : NULL;
}

bool builds_of_one_process(const struct builds *self) {
    return !self->several_processes;
}

size_t builds_count(const struct builds *self) {
    return self->count;
}

const struct build *builds_at(const struct builds *self, size_t index) {
    return &self->entries[index]->build;
}

/* ---- pairs ---- */

/* How well a build of the reference goes with another one; 0: not at all. */
static int likeness(const struct build *build, const struct build *other) {
    bool path = strcmp(build->path, other->path) == 0;
    if (build->id[0] != '\0' && strcmp(build->id, other->id) == 0)
        return path ? 4 : 3;
    if (path)
        return 2;
    return strcmp(last_part(build->path), last_part(other->path)) == 0 ? 1 : 0;
}

/* A file name that two modules of one source have says nothing. */
static struct entry *find_partner(const struct builds *self, const struct entry *entry) {
    struct entry *best = NULL;
    int most = 0;
    for (size_t i = 0; i < self->count; i++) {
        struct entry *other = self->entries[i];
        int like = other->referred ? likeness(&entry->build, &other->build) : 0;
        if (like > most) {
            best = other;
            most = like;
        }
    }
    return most == 1 && (entry->namesake || best->namesake) ? NULL : best;
}

static enum symbols_quality quality_of(const struct builds *self, const struct entry *entry,
                                       const char **reason) {
    struct symbols_frame frames[CHAIN_MAX];
    symbols_resolve(self->symbols, entry->module, entry->address, frames, CHAIN_MAX); /* opens it */
    struct symbols_status status = symbols_status(self->symbols, entry->module);
    *reason = status.reason;
    return status.quality;
}

static void compare_two(struct builds *self, struct entry *entry, struct entry *partner) {
    const char *why, *whys;
    entry->build.as = &partner->build;
    if (entry->build.id[0] != '\0' && strcmp(entry->build.id, partner->build.id) == 0)
        return;
    enum symbols_quality quality = quality_of(self, entry, &why);
    enum symbols_quality other = quality_of(self, partner, &whys);
    entry->build.reason = quality <= other ? why : whys;
    if (quality == SYMBOLS_NONE || other == SYMBOLS_NONE) {
        entry->build.comparing = COMPARED_NOT;
    } else if (quality == SYMBOLS_DWARF && other == SYMBOLS_DWARF) {
        entry->build.comparing = COMPARED_BY_LINE;
        entry->build.reason = NULL;
    } else {
        entry->build.comparing = COMPARED_BY_FUNCTION;
    }
    if (entry->build.comparing != COMPARED_NOT && partner->build.comparing < entry->build.comparing)
        partner->build.comparing = entry->build.comparing;
}

/* Two builds that are compared with one are compared in the same way, or they would not be with it. */
static void settle(struct entry *entry) {
    if (entry->build.as == NULL || entry->build.comparing == COMPARED_NOT)
        return;
    entry->build.comparing = entry->build.as->comparing;
}

static void pair(struct builds *self) {
    for (size_t i = 0; i < self->count; i++) {
        struct entry *entry = self->entries[i];
        entry->referred = entry->added == self->sources;
        if (entry->referred)
            entry->build.as = &entry->build;
        if (entry->referred && entry->build.id[0] == '\0' && entry->sources > 1 && self->several_processes)
            entry->build.comparing = COMPARED_BLINDLY;
    }
    for (size_t i = 0; i < self->count; i++) {
        struct entry *entry = self->entries[i];
        struct entry *partner = entry->referred ? NULL : find_partner(self, entry);
        if (partner != NULL)
            compare_two(self, entry, partner);
    }
    for (size_t i = 0; i < self->count; i++)
        settle(self->entries[i]);
}

/* ---- where functions begin ---- */

/* Null when out of memory. */
static struct beginning *beginning_of(struct builds *self, const char *function, const char *file,
                                      bool *fresh) {
    char *key;
    int length = asprintf(&key, "%s\n%s", function, file);
    if (length < 0)
        return NULL;
    uint32_t id = interner_put(self->functions, key, (size_t)length, fresh);
    free(key);
    if (id == INTERNER_NONE)
        return NULL;
    if (id >= self->room) {
        size_t room = 2 * (size_t)id + 256;
        struct beginning *more = realloc(self->beginnings, room * sizeof *more);
        if (more == NULL)
            return NULL;
        memset(more + self->room, 0, (room - self->room) * sizeof *more);
        self->beginnings = more;
        self->room = room;
    }
    return &self->beginnings[id];
}

static bool note_function(struct builds *self, const struct symbols_frame *frame) {
    const char *names[] = {frame->file, last_part(frame->file)};
    for (size_t i = 0; i < 2; i++) {
        bool fresh;
        struct beginning *at = beginning_of(self, frame->function, names[i], &fresh);
        if (at == NULL)
            return false;
        if (!fresh && strcmp(at->file, frame->file) != 0)
            at->ambiguous = true;
        if (fresh || at->line == 0)
            *at = (struct beginning){frame->file, frame->first_line, at->ambiguous};
    }
    return true;
}

static bool note_functions_at(struct builds *self, size_t module, uint64_t address) {
    struct symbols_frame frames[CHAIN_MAX];
    size_t count = symbols_resolve(self->symbols, module, address, frames, CHAIN_MAX);
    for (size_t i = 0; i < count; i++)
        if (frames[i].function != NULL && frames[i].file != NULL && !note_function(self, &frames[i]))
            return false;
    return true;
}

/* Those of the modules that are compared by line, which are few, or none. */
static bool note_functions(struct builds *self, const struct tables *reference) {
    uint32_t modules = reference->region[HT_REGION_MODULES].count;
    const struct entry **by_line = calloc(modules + (size_t)1, sizeof(const struct entry *));
    bool good = by_line != NULL;
    for (uint32_t i = 1; good && i < modules; i++) {
        const struct entry *entry = find(self, reference, i);
        by_line[i] = entry != NULL && entry->build.comparing == COMPARED_BY_LINE ? entry : NULL;
    }
    for (uint32_t i = 1; good && i < reference->region[HT_REGION_PCS].count; i++) {
        const struct ht_pc *pc = tables_pc(reference, i);
        if (pc->module < modules && by_line[pc->module] != NULL)
            good = note_functions_at(self, by_line[pc->module]->module,
                                     pc->pc - 1 - tables_module(reference, pc->module)->load_bias);
    }
    free(by_line);
    return good;
}

bool builds_compare(struct builds *self, const struct tables *reference, struct error *error) {
    pair(self);
    return note_functions(self, reference) || error_out_of_memory(error);
}

/* ---- frames ---- */

static const struct beginning *look_up(const struct builds *self, const char *function, const char *file) {
    char *key;
    int length = asprintf(&key, "%s\n%s", function, file);
    uint32_t id = length < 0 ? INTERNER_NONE : interner_find(self->functions, key, (size_t)length);
    if (length >= 0)
        free(key);
    return id != INTERNER_NONE ? &self->beginnings[id] : NULL;
}

/* A line of a function that the reference does not have keeps its build, so that it is no other's line. */
static void translate(const struct builds *self, const struct build *build, uint32_t first_line,
                      struct frame *frame) {
    const struct beginning *to = look_up(self, frame->function, frame->file);
    if (to == NULL)
        to = look_up(self, frame->function, last_part(frame->file));
    if (to == NULL || to->ambiguous) {
        frame->build = build->id;
        return;
    }
    int64_t line = (int64_t)frame->line - first_line + to->line;
    if (frame->line != 0 && first_line != 0 && to->line != 0 && line > 0 && line <= UINT32_MAX)
        frame->line = (uint32_t)line;
    frame->file = to->file;
}

static void without_place(struct frame *frame) {
    frame->file = frame->build = NULL;
    frame->line = 0;
    frame->offset = 0;
    frame->has_offset = false;
}

void builds_adapt(const struct builds *self, const struct build *build, uint32_t first_line,
                  struct frame *frame) {
    frame->module = build->as != NULL ? build->as->path : build->path;
    if (build->comparing != COMPARED_BY_LINE && build->comparing != COMPARED_BY_FUNCTION)
        return;
    if (frame->function == NULL)
        return;
    if (build->comparing == COMPARED_BY_FUNCTION || frame->file == NULL)
        without_place(frame);
    else if (build->as != build)
        translate(self, build, first_line, frame);
}
