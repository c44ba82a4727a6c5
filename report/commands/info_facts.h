/* info_facts.h - the two forms of `heaptally info`.
 *
 * JSON: one object:
 *     source {path, kind: "snapshot" | "running" | "dead"}
 *     process {pid, parent_pid, user_id, executable, working_directory, command_line [..], machine,
 *              started_ns, nframe, unwinder, signal, exec_index, session}
 *     snapshot {taken_ns, trigger, number, label}              snapshots only
 *     totals, losses                                           as in top --json
 *     live_range {low_bytes, high_bytes}                       running processes: live while it was read
 *     peak_bound_bytes                                         the true peak is within this of peak_bytes
 *     inherited {blocks, bytes}                                of a forked child: counted as allocations
 *     tables {stacks, cells, frames, pcs, modules, threads, slots, committed_bytes, private_bytes,
 *             budget_bytes}
 *     truncated_stacks, unmatched_frees, deferred_events       allocations, frees, events
 *     sampled_every_bytes                                      0: every block was traced
 *     sampled {allocations, frees}                             of a sampled process: traced, not estimated
 *     tracing                                                  false: the program had stopped it
 *     clears                                                   how often it cleared all traces
 *     domains [{number, name, live_bytes, live_blocks, peak_bytes, allocated_bytes, allocations}]
 *                                                              all but the heap
 *     scopes [{name, begun, ... as above}]                     heaptally_scope_begin
 *     temporary_below, details {..}                            as in top --json
 *     verified_stacks, mismatched_stacks, guessed_stacks       HEAPTALLY_VERIFY_UNWIND
 *     mismatches [{verified, stack_pointer, differs_at, frame_count, reference_count,
 *                  frames [{address, module, offset}], reference [..]}]      newest frame first
 *     modules [{path, build_id, start, end, unmapped, reason,
 *               symbols: "none" | "table" | "dwarf" | "unopened"}] */
#ifndef HEAPTALLY_REPORT_INFO_FACTS_H
#define HEAPTALLY_REPORT_INFO_FACTS_H

#include "../source/open.h"
#include "../render/json.h"
#include "../source/model.h"
#include "../stats/traces.h"

struct info {
    const struct source *source;
    const struct model *model;
    struct traces *traces;
};

void info_print_text(const struct info *info);
void info_print_json(const struct info *info);

/* Of stacks that were unwound twice; in text, nothing where none was. */
void info_put_verified(FILE *out, const struct tables *tables);
void info_put_json_verified(struct json *json, const struct tables *tables);

/* Domains and scopes; in text, nothing where there are none. */
void info_put_contexts(FILE *out, const struct tables *tables);
void info_put_json_contexts(struct json *json, const struct tables *tables);

/* Shared by both forms. */
const char *info_trigger(uint32_t trigger);
const char *info_kind(const struct source *source);
void info_build_id(const struct ht_module *module, char text[2 * HT_BUILD_ID_BYTES + 1]);

#endif
