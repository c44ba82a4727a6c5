/* kind.h - by which of a language's functions blocks were allocated, as far as files and stacks say so.
 *
 * A stack's newest frames are the operators themselves where a runtime has them as functions (libstdc++'s
 * operator new calls malloc), and the call in the frame beneath names what was called: that tells new[],
 * which libstdc++ leaves by a jump, and new of allocators that bring operators of their own. */
#ifndef HEAPTALLY_REPORT_KIND_H
#define HEAPTALLY_REPORT_KIND_H

#include <stdbool.h>
#include <stdint.h>

enum kind {
    KIND_UNKNOWN, /* no symbols, no call that can be read: an operator may stand behind it, or not */
    KIND_MALLOC,  /* malloc and its relatives: calloc, realloc, aligned_alloc ... */
    KIND_NEW,
    KIND_NEW_ARRAY,
    KIND_RUST,  /* the functions behind Rust's global allocator */
    KIND_OTHER, /* no heap: blocks of another domain */
};

/* "malloc", "new" and so on, as --kind takes them; null-terminated, by enum kind. */
extern const char *const kind_names[];

/* What a function says that was called or that stands in a stack; KIND_UNKNOWN for any other function. */
enum kind kind_of_function(const char *function);

#endif
