/* heaptally.h - for programs that want to talk to the tracer that they run under.
 *
 * Nothing needs linking: the functions are weak, and null in a process that is not traced. So ask first:
 *
 *     if (heaptally_snapshot)
 *         heaptally_snapshot("after start-up");
 */
#ifndef HEAPTALLY_H
#define HEAPTALLY_H

#ifdef __cplusplus
extern "C" {
#endif

/* Writes a snapshot of the heap as it is now, named by HEAPTALLY_OUT.
 *
 * label: what `%l` in the name stands for, also kept in the file; at most 127 bytes, the rest is cut; a
 *        null pointer is the empty label.
 * Returns the snapshot's number (1, 2, ... in this process), or 0 when none could be written: it is then
 * counted as a lost snapshot, which every report of this process shows. errno is not changed.
 * Thread-safe; async-signal-safe; never blocks: of two calls at one moment the second returns 0. */
__attribute__((weak)) int heaptally_snapshot(const char *label);

#ifdef __cplusplus
}
#endif

#endif
