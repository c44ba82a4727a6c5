/* info_verified.c - what HEAPTALLY_VERIFY_UNWIND found: how many stacks two unwinders agreed on, and those
 * that they did not, side by side.
 *
 * Owns:    nothing.
 * Holds:   reads no frame beyond HT_MISMATCH_FRAMES, whatever a record says.
 * Threads: one.  Signals: no.  Heap: no (but stdio's). */
#define _GNU_SOURCE
#include "info_facts.h"
#include "../render/harmless.h"

#include <inttypes.h>
#include <string.h>

#define SHOWN_MAX   4 /* in text */
#define PLACE_BYTES 44

/* Two stacks, newest frame first, and how much of them was kept. */
struct sides {
    const struct ht_mismatch *record;
    uint32_t count, reference_count; /* kept */
};

static uint32_t kept(uint32_t count) {
    return count < HT_MISMATCH_FRAMES ? count : HT_MISMATCH_FRAMES;
}

/* False for a record that was not published. */
static bool sides_of(const struct tables *tables, uint32_t id, struct sides *sides) {
    const struct ht_mismatch *record =
        (const struct ht_mismatch *)tables->region[HT_REGION_MISMATCHES].at + id;
    *sides = (struct sides){record, kept(record->frame_count), kept(record->reference_count)};
    return record->valid == 1;
}

/* Each frame is looked for in all modules: not for more records than there can be. */
static uint32_t record_count(const struct tables *tables) {
    uint32_t count = tables->region[HT_REGION_MISMATCHES].count;
    return count < HT_MISMATCHES_MAX ? count : HT_MISMATCHES_MAX;
}

/* The module at a run-time address: one that is still there, else the last that was. Null: none. */
static const struct ht_module *module_at(const struct tables *tables, uint64_t address, uint32_t *id) {
    const struct ht_module *found = NULL;
    for (uint32_t i = 1; i < tables->region[HT_REGION_MODULES].count; i++) {
        const struct ht_module *module = tables_module(tables, i);
        if (module->valid == 0 || address < module->start || address >= module->end)
            continue;
        if (found == NULL || found->unmapped_ns != 0) {
            found = module;
            *id = i;
        }
    }
    return found;
}

/* ---- text ---- */

/* MODULE+0xOFFSET, or the address; cut to what a column holds. */
static void format_place(const struct tables *tables, uint64_t address, char text[PLACE_BYTES]) {
    uint32_t id;
    const struct ht_module *module = module_at(tables, address, &id);
    if (module == NULL) {
        snprintf(text, PLACE_BYTES, "0x%" PRIx64, address);
        return;
    }
    const char *path = tables_module_path(tables, id), *slash = strrchr(path, '/');
    snprintf(text, PLACE_BYTES, "%.24s+0x%" PRIx64, slash != NULL ? slash + 1 : path,
             address - module->load_bias);
}

static void put_column(FILE *out, const char *text) {
    harmless_put(out, text);
    fprintf(out, "%*s", (int)(PLACE_BYTES - strlen(text)), "");
}

static void put_frame(FILE *out, const struct tables *tables, const struct sides *sides, uint32_t at) {
    char own[PLACE_BYTES] = "-", reference[PLACE_BYTES] = "-";
    bool both = at < sides->count && at < sides->reference_count;
    bool differ = !both || sides->record->frames[at] != sides->record->reference[at];
    if (at < sides->count)
        format_place(tables, sides->record->frames[at], own);
    if (at < sides->reference_count)
        format_place(tables, sides->record->reference[at], reference);
    fprintf(out, "  %s %3" PRIu32 " ", differ ? "*" : " ", at);
    put_column(out, own);
    harmless_put(out, reference);
    fputc('\n', out);
}

static void put_mismatch(FILE *out, const struct tables *tables, const struct sides *sides) {
    const struct ht_mismatch *record = sides->record;
    const char *unwinder = tables->header.unwinder[0] != '\0' ? tables->header.unwinder : "own";
    uint32_t rows = sides->count > sides->reference_count ? sides->count : sides->reference_count;
    fprintf(out,
            "  stack %" PRIu64 ", sp 0x%" PRIx64 ": %" PRIu32 " and %" PRIu32
            " frames, newest first, * where they differ\n        ",
            record->verified, record->stack_pointer, record->frame_count, record->reference_count);
    put_column(out, unwinder);
    fputs("libunwind\n", out);
    for (uint32_t i = 0; i < rows; i++)
        put_frame(out, tables, sides, i);
    if (record->frame_count > HT_MISMATCH_FRAMES || record->reference_count > HT_MISMATCH_FRAMES)
        fprintf(out, "        the first %u are kept\n", HT_MISMATCH_FRAMES);
}

void info_put_verified(FILE *out, const struct tables *tables) {
    const struct ht_header *header = &tables->header;
    uint32_t shown = 0, found = 0;
    struct sides sides;
    if (header->verify_every == 0)
        return;
    fprintf(out, "%-16s %" PRIu64 " stacks unwound twice, %" PRIu64 " differ", "verified",
            header->verified_stacks, header->mismatched_stacks);
    if (header->guessed_stacks != 0)
        fprintf(out, ", %" PRIu64 " more below code without call frame information, where both guess",
                header->guessed_stacks);
    fputc('\n', out);
    for (uint32_t i = 1; i < record_count(tables); i++)
        if (sides_of(tables, i, &sides) && found++ < SHOWN_MAX) {
            put_mismatch(out, tables, &sides);
            shown++;
        }
    if (shown < found)
        fprintf(out, "  %" PRIu32 " more are kept (--json)\n", found - shown);
}

/* ---- JSON ---- */

static void put_json_frame(struct json *json, const struct tables *tables, uint64_t address) {
    uint32_t id;
    const struct ht_module *module = module_at(tables, address, &id);
    json_open(json, NULL, '{');
    json_put_unsigned(json, "address", address);
    json_put_string(json, "module", module != NULL ? tables_module_path(tables, id) : NULL);
    if (module != NULL)
        json_put_unsigned(json, "offset", address - module->load_bias);
    else
        json_put_null(json, "offset");
    json_close(json, '}');
}

static void put_json_frames(struct json *json, const struct tables *tables, const char *name,
                            const uint64_t *frames, uint32_t count) {
    json_open(json, name, '[');
    for (uint32_t i = 0; i < count; i++)
        put_json_frame(json, tables, frames[i]);
    json_close(json, ']');
}

static void put_json_mismatch(struct json *json, const struct tables *tables, const struct sides *sides) {
    const struct ht_mismatch *record = sides->record;
    json_open(json, NULL, '{');
    json_put_unsigned(json, "verified", record->verified);
    json_put_unsigned(json, "stack_pointer", record->stack_pointer);
    json_put_unsigned(json, "differs_at", record->differs_at);
    json_put_unsigned(json, "frame_count", record->frame_count);
    json_put_unsigned(json, "reference_count", record->reference_count);
    put_json_frames(json, tables, "frames", record->frames, sides->count);
    put_json_frames(json, tables, "reference", record->reference, sides->reference_count);
    json_close(json, '}');
}

void info_put_json_verified(struct json *json, const struct tables *tables) {
    struct sides sides;
    json_put_unsigned(json, "verified_stacks", tables->header.verified_stacks);
    json_put_unsigned(json, "mismatched_stacks", tables->header.mismatched_stacks);
    json_put_unsigned(json, "guessed_stacks", tables->header.guessed_stacks);
    json_open(json, "mismatches", '[');
    for (uint32_t i = 1; i < record_count(tables); i++)
        if (sides_of(tables, i, &sides))
            put_json_mismatch(json, tables, &sides);
    json_close(json, ']');
}
