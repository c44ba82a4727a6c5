/* dwarf_units.h - all compile units of one debug file, by address; each indexed when first touched.
 *
 * Owns:    the libdw handle, the indexes.   Threads: one at a time.   Heap: yes. */
#ifndef HEAPTALLY_SYMBOLS_DWARF_UNITS_H
#define HEAPTALLY_SYMBOLS_DWARF_UNITS_H

#include "elf_file.h"
#include "names.h"
#include "symbols.h"

struct dwarf_units;

/* Opens the debug info of `file`, with strings and types that dwz moved to `alternate` (may be null). Borrows
 * all three. Null: there is none that can be read, or out of memory. */
struct dwarf_units *dwarf_units_open(const struct elf_file *file, const struct elf_file *alternate,
                                     struct names *names);
void dwarf_units_close(struct dwarf_units *self);

/* As symbols_resolve. The function of the last frame may be null; `symbol`, the linker's name of the function
 * at the address, may be null too. */
size_t dwarf_units_resolve(struct dwarf_units *self, uint64_t address, const char *symbol,
                           struct symbols_frame *frames, size_t capacity);

/* Something of the units touched so far lies in .dwo or .dwp files that could not be read. */
bool dwarf_units_lack_split(const struct dwarf_units *self);

/* Something of the units touched so far is damaged or too large. */
bool dwarf_units_are_damaged(const struct dwarf_units *self);

#endif
