/* unit_scopes.c - one walk of a unit's DIE tree, flattened.
 * Owns:    struct unit_scopes' arrays.
 * Holds:   offsets ascend strictly along the walk, so a damaged tree cannot make it loop; its depth and the
 *          number of ranges are bounded.
 * Threads: one at a time.   Heap: yes, every failure returned. */
#include "unit_scopes.h"

#include <stdlib.h>

#include <dwarf.h>

#define DEEPEST     256
#define MOST_RANGES ((uint64_t)1 << 23)

struct walk {
    struct unit_scopes *scopes;
    Dwarf_Off furthest; /* the offset of the last DIE seen */
    uint64_t ranges;
    bool failed;
};

static uint32_t number(Dwarf_Die *die, unsigned name) {
    Dwarf_Attribute attribute;
    Dwarf_Word value;
    if (!dwarf_attr(die, name, &attribute) || dwarf_formudata(&attribute, &value) != 0 || value > UINT32_MAX)
        return 0;
    return (uint32_t)value;
}

static uint32_t add_scope(struct walk *walk, Dwarf_Die *die, uint32_t parent) {
    struct unit_scopes *self = walk->scopes;
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? self->capacity * 2 : 32;
        struct unit_scope *items =
            capacity < UINT32_MAX ? reallocarray(self->items, capacity, sizeof *items) : NULL;
        if (!items) {
            walk->failed = true;
            return UNIT_SCOPE_NONE;
        }
        self->items = items;
        self->capacity = capacity;
    }
    struct unit_scope scope = {.die = dwarf_dieoffset(die), .parent = parent};
    if (parent != UNIT_SCOPE_NONE) {
        scope.call_file = number(die, DW_AT_call_file);
        scope.call_line = number(die, DW_AT_call_line);
    }
    self->items[self->count] = scope;
    return (uint32_t)self->count++;
}

/* Adds a scope if the DIE has code. Linkers point the code they drop to 0, or to the end of the address space
 * where the range becomes empty. */
static uint32_t add_code(struct walk *walk, Dwarf_Die *die, uint32_t parent, unsigned depth) {
    Dwarf_Addr base, low, high;
    uint32_t scope = UNIT_SCOPE_NONE;
    for (ptrdiff_t next = 0; !walk->failed && (next = dwarf_ranges(die, next, &base, &low, &high)) > 0;) {
        if (++walk->ranges > MOST_RANGES) {
            walk->scopes->cut = true;
            break;
        }
        if (low == 0 || low >= high)
            continue;
        if (scope == UNIT_SCOPE_NONE && (scope = add_scope(walk, die, parent)) == UNIT_SCOPE_NONE)
            break;
        if (!intervals_add(&walk->scopes->extents, (struct interval){low, high, depth, scope}))
            walk->failed = true;
    }
    return scope;
}

static void walk_children(struct walk *walk, Dwarf_Die *parent_die, uint32_t parent, unsigned depth);

static void visit(struct walk *walk, Dwarf_Die *die, uint32_t parent, unsigned depth) {
    uint32_t scope = parent;
    switch (dwarf_tag(die)) {
    case DW_TAG_subprogram: scope = add_code(walk, die, UNIT_SCOPE_NONE, depth); break;
    case DW_TAG_inlined_subroutine:
        scope = add_code(walk, die, parent, depth);
        if (scope == UNIT_SCOPE_NONE)
            scope = parent;
        break;
    case DW_TAG_lexical_block:
    case DW_TAG_try_block:
    case DW_TAG_catch_block:
    case DW_TAG_namespace:
    case DW_TAG_module:
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
    case DW_TAG_common_block: break;
    default: return;
    }
    if (dwarf_haschildren(die) > 0)
        walk_children(walk, die, scope, depth + 1);
}

static void walk_children(struct walk *walk, Dwarf_Die *parent_die, uint32_t parent, unsigned depth) {
    Dwarf_Die die;
    if (depth > DEEPEST) {
        walk->scopes->cut = true;
        return;
    }
    for (int end = dwarf_child(parent_die, &die); end == 0; end = dwarf_siblingof(&die, &die)) {
        Dwarf_Off offset = dwarf_dieoffset(&die);
        if (offset <= walk->furthest || walk->failed || walk->scopes->cut)
            return;
        walk->furthest = offset;
        visit(walk, &die, parent, depth);
    }
}

bool unit_scopes_build(struct unit_scopes *self, Dwarf_Die *unit) {
    struct walk walk = {.scopes = self, .furthest = dwarf_dieoffset(unit)};
    walk_children(&walk, unit, UNIT_SCOPE_NONE, 0);
    return intervals_flatten(&self->extents) && !walk.failed;
}

uint32_t unit_scopes_find(const struct unit_scopes *self, uint64_t address) {
    return intervals_find(&self->extents, address);
}

void unit_scopes_clear(struct unit_scopes *self) {
    intervals_clear(&self->extents);
    free(self->items);
    *self = (struct unit_scopes){0};
}
