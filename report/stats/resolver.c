/* resolver.c - see resolver.h.
 * Owns:    the cache of chains.
 * Holds:   a PC's chain is looked up at most once for each of its two meanings (call, exact).
 * Threads: one.  Signals: no.  Heap: yes. */
#include "resolver.h"

#include <stdlib.h>

#define CHAIN_MAX 64

struct chain {
    uint32_t first; /* in `ids` */
    uint32_t count; /* 0: not looked up yet */
};

struct resolver {
    const struct tables *tables;
    struct symbols *symbols;
    struct frames *frames;
    const struct builds *builds;       /* null: one source alone */
    const struct build **module_build; /* by tables' id; null without `builds` */
    size_t *modules;                   /* tables' id -> symboliser's id */
    struct chain *chains;              /* of PC p: 2 p for a call, 2 p + 1 for an exact one */
    frame_id *ids;
    size_t id_count, id_room;
};

static void add_modules(struct resolver *self) {
    for (uint32_t i = 0; i < self->tables->region[HT_REGION_MODULES].count; i++) {
        const struct ht_module *module = tables_module(self->tables, i);
        self->modules[i] = SYMBOLS_NO_MODULE;
        if (tables_source_file(self->tables, i) != NULL)
            continue;
        size_t id_bytes = module->build_id_bytes;
        struct symbols_module description = {tables_module_path(self->tables, i), module->build_id,
                                             id_bytes <= HT_BUILD_ID_BYTES ? id_bytes : 0};
        self->modules[i] = symbols_add_module(self->symbols, &description);
    }
}

struct resolver *resolver_new(const struct tables *tables, struct symbols *symbols, struct frames *frames) {
    struct resolver *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->tables = tables;
    self->symbols = symbols;
    self->frames = frames;
    self->modules = calloc(tables->region[HT_REGION_MODULES].count + (size_t)1, sizeof *self->modules);
    self->chains = calloc(2 * (tables->region[HT_REGION_PCS].count + (size_t)1), sizeof *self->chains);
    if (self->modules == NULL || self->chains == NULL) {
        resolver_free(self);
        return NULL;
    }
    add_modules(self);
    return self;
}

void resolver_free(struct resolver *self) {
    if (self == NULL)
        return;
    free(self->module_build);
    free(self->modules);
    free(self->chains);
    free(self->ids);
    free(self);
}

bool resolver_use_builds(struct resolver *self, const struct builds *builds) {
    uint32_t count = self->tables->region[HT_REGION_MODULES].count;
    self->module_build = calloc(count + (size_t)1, sizeof(const struct build *));
    if (self->module_build == NULL)
        return false;
    self->builds = builds;
    for (uint32_t i = 1; i < count; i++)
        self->module_build[i] = builds_find(builds, self->tables, i);
    return true;
}

static bool append(struct resolver *self, const struct frame *frame) {
    if (self->id_count == self->id_room) {
        size_t room = self->id_room != 0 ? 2 * self->id_room : 1024;
        frame_id *more = realloc(self->ids, room * sizeof *more);
        if (more == NULL)
            return false;
        self->ids = more;
        self->id_room = room;
    }
    frame_id id = frames_put(self->frames, frame);
    if (id == FRAME_NONE || self->id_count >= UINT32_MAX)
        return false;
    self->ids[self->id_count++] = id;
    return true;
}

/* Without a file the address is all that tells one call from another. */
static struct frame make_frame(const struct symbols_frame *found, const char *module, uint64_t offset) {
    bool lined = found != NULL && found->file != NULL;
    return (struct frame){
        .file = lined ? found->file : NULL,
        .line = lined ? found->line : 0,
        .function = found != NULL ? found->function : NULL,
        .module = module,
        .offset = lined ? 0 : offset,
        .has_offset = !lined,
    };
}

/* A line that was imported. */
static bool add_line(struct resolver *self, const struct ht_pc *pc, const char *file) {
    struct frame frame = {
        .file = file, .line = (uint32_t)pc->pc, .module = tables_module_name(self->tables, pc->module)};
    return append(self, &frame);
}

/* Code of no module: in another process its address says nothing. */
static bool add_unknown(struct resolver *self, uint64_t address) {
    bool comparable = self->builds == NULL || builds_of_one_process(self->builds);
    struct frame frame = {.module = tables_module_name(self->tables, 0),
                          .offset = comparable ? address : 0,
                          .has_offset = comparable};
    return append(self, &frame);
}

static bool add_symbols(struct resolver *self, const struct ht_pc *pc, bool exact) {
    uint64_t address = exact ? pc->pc : pc->pc - 1;
    char text[BUILD_TEXT_BYTES];
    struct symbols_frame found[CHAIN_MAX];
    if (pc->module == 0)
        return add_unknown(self, address);
    address -= tables_module(self->tables, pc->module)->load_bias;
    size_t count = symbols_resolve(self->symbols, self->modules[pc->module], address, found, CHAIN_MAX);
    const struct build *build = self->module_build != NULL ? self->module_build[pc->module] : NULL;
    /* by function there are no inlined ones: a build without lines does not know of them */
    size_t first = build != NULL && build->comparing == COMPARED_BY_FUNCTION && count != 0 ? count - 1 : 0;
    build_text(self->tables, pc->module, text);
    for (size_t i = first; i < (count != 0 ? count : 1); i++) {
        const struct symbols_frame *at = count != 0 ? &found[i] : NULL;
        struct frame frame = make_frame(at, tables_module_name(self->tables, pc->module), address);
        frame.build = frame.has_offset && text[0] != '\0' ? text : NULL;
        if (build != NULL)
            builds_adapt(self->builds, build, at != NULL ? at->first_line : 0, &frame);
        if (!append(self, &frame))
            return false;
    }
    return true;
}

static bool look_up(struct resolver *self, uint32_t pc_id, bool exact, struct chain *chain) {
    const struct ht_pc *pc = tables_pc(self->tables, pc_id);
    const char *source = pc->module != 0 ? tables_source_file(self->tables, pc->module) : NULL;
    chain->first = (uint32_t)self->id_count;
    if (!(source != NULL ? add_line(self, pc, source) : add_symbols(self, pc, exact)))
        return false;
    chain->count = (uint32_t)self->id_count - chain->first;
    return true;
}

bool resolver_chain(struct resolver *self, uint32_t entry, const frame_id **ids, size_t *count) {
    uint32_t pc = entry & HT_FRAME_PC;
    bool exact = (entry & HT_FRAME_EXACT) != 0;
    struct chain *chain = &self->chains[2 * (size_t)pc + (exact ? 1 : 0)];
    if (chain->count == 0 && !look_up(self, pc, exact, chain))
        return false;
    *ids = self->ids + chain->first;
    *count = chain->count;
    return true;
}

const char *resolver_callee(struct resolver *self, uint32_t entry) {
    const struct ht_pc *pc = tables_pc(self->tables, entry & HT_FRAME_PC);
    if ((entry & HT_FRAME_EXACT) != 0 || pc->module == 0 ||
        tables_source_file(self->tables, pc->module) != NULL)
        return NULL;
    uint64_t address = pc->pc - tables_module(self->tables, pc->module)->load_bias;
    return symbols_callee(self->symbols, self->modules[pc->module], address);
}

const char *resolver_module_name(const struct resolver *self, uint32_t id) {
    const struct build *build = self->module_build != NULL ? self->module_build[id] : NULL;
    return build != NULL && build->as != NULL ? build->as->path : tables_module_name(self->tables, id);
}

size_t resolver_symbols_module(const struct resolver *self, uint32_t id) {
    return self->modules[id];
}
