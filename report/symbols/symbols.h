/* symbols.h - code addresses of ELF modules -> function, file and line, inlined calls included.
 *
 * Owns:    the opened modules, their per-unit indexes, all strings handed out.
 * Threads: one at a time per `struct symbols`.  Heap: yes. */
#ifndef HEAPTALLY_SYMBOLS_H
#define HEAPTALLY_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbols;

/* Which ELF file to look in. */
struct symbols_module {
    const char *path; /* absolute path on the traced machine, or "[vdso]" */
    const uint8_t *build_id;
    size_t build_id_bytes; /* 0: the module has none, or it is not known */
};

/* One source-level frame. Strings are owned by the `struct symbols`, equal strings have equal pointers. */
struct symbols_frame {
    const char *function; /* demangled; null: not known */
    const char *file;     /* absolute where the debug info allows it; null: not known */
    uint32_t line;        /* 0: not known */
    bool inlined;         /* this frame was inlined into the next one */
    uint32_t first_line;  /* where the function begins; 0: not known, or in another file than this frame */
};

/* How far a module's symbols could be found, for `heaptally info`. */
enum symbols_quality {
    SYMBOLS_NONE,     /* nothing: module+0xoffset is all there is */
    SYMBOLS_TABLE,    /* an ELF symbol table: functions, no lines */
    SYMBOLS_DWARF,    /* lines and inlined calls */
    SYMBOLS_UNOPENED, /* no address of it was asked for yet */
};

struct symbols_status {
    enum symbols_quality quality;
    const char *reason; /* a sentence: which files were used, or what was missing and what to do about it */
};

struct symbols_options {
    const char *sysroot;           /* prefixed to module and debug paths; null: none */
    const char *const *debug_dirs; /* null-terminated; searched before /usr/lib/debug; null: none */
};

/* Returns a new symboliser, or null when out of memory. options may be null; it is copied. */
struct symbols *symbols_new(const struct symbols_options *options);
void symbols_free(struct symbols *self);

#define SYMBOLS_NO_MODULE SIZE_MAX

/* Returns an id for a module (equal descriptions, equal ids), to be used below, or SYMBOLS_NO_MODULE when out
 * of memory (nothing is known of that one). Opens nothing yet. */
size_t symbols_add_module(struct symbols *self, const struct symbols_module *module);

/* Resolves ELF virtual address `vaddr` (run-time address - load bias) of a module. The caller has already
 * subtracted 1 from return addresses. Writes at most `capacity` frames, the innermost inlined call first,
 * the physical function last, and returns how many: 0 when nothing is known. Never a wrong name: an
 * address outside of every function's extent has none. */
size_t symbols_resolve(struct symbols *self, size_t module, uint64_t vaddr, struct symbols_frame *frames,
                       size_t capacity);

/* The readable name of what the call before return address `vaddr` of a module calls; null where the file
 * does not say so. */
const char *symbols_callee(struct symbols *self, size_t module, uint64_t vaddr);

/* The text of a module's HEAPTALLY_SUPPRESS number `index`, from 0 on; null: there are no more. Opens the
 * module's file alone, and no index. */
const char *symbols_suppression(struct symbols *self, size_t module, size_t index);

/* What was found for a module. The reason lives as long as `self`. */
struct symbols_status symbols_status(struct symbols *self, size_t module);

#endif
