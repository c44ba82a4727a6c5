/* cfi_row.h - how to step out of one code address on x86-64: a function of the address alone. And, for
 * aarch64, whether that takes an unwinder that knows signed return addresses.
 *
 * A row is read from .eh_frame (LSB 5.0 Core, 10.6; DWARF 5, 6.4), found through the binary search table
 * of .eh_frame_hdr, found through _dl_find_object, which takes no lock. It says where the caller's frame
 * begins (CFA) and where rbp was saved: of the registers that is all that compilers need to unwind.
 *
 * Threads: any.  Signals: safe.  Heap: never. */
#ifndef HEAPTALLY_CFI_ROW_H
#define HEAPTALLY_CFI_ROW_H

#include <stdbool.h>
#include <stdint.h>

enum cfi_kind {
    CFI_NONE = 0,
    CFI_FROM_SP,    /* CFA = rsp + cfa_offset */
    CFI_FROM_BP,    /* CFA = rbp + cfa_offset */
    CFI_FROM_SAVED, /* CFA = *(rbp + cfa_offset): a realigned stack (DRAP) */
    CFI_SIGNAL,     /* the return from a signal handler: registers are in the ucontext at rsp */
    CFI_END,        /* the return address is undefined: nothing called this */
    CFI_GUESS,      /* no CFI (JIT code), or broken: taken for a frame-pointer frame, to be checked */
    CFI_OTHER,      /* something that needs more registers: use another unwinder */
    CFI_NO_CODE,    /* of cfi_rows.h: what is no address of code, and ends stacks */
};

enum cfi_bp {
    CFI_BP_KEPT = 0,  /* rbp is the caller's */
    CFI_BP_CFA = 1,   /* saved at CFA + bp_offset */
    CFI_BP_FRAME = 2, /* saved at rbp + bp_offset */
    CFI_BP_PLACE = 3, /* mask of the above */
    /* What follows from the row: whether the step, or one of older frames, uses rbp as it is in this frame.
     */
    CFI_BP_USED = 4,
    CFI_BP_PASSED_ON = 8, /* if the older frame needs it */
};

struct cfi_row {
    uint8_t kind; /* enum cfi_kind */
    uint8_t bp;   /* enum cfi_bp: a place and flags */
    int16_t bp_offset;
    int32_t cfa_offset;
};
_Static_assert(sizeof(struct cfi_row) == 8, "a row is stored in one word");

/* The row of the code at `pc`: for a caller's frame, the address before its return address. */
struct cfi_row cfi_row_at(uintptr_t pc);

/* Whether the description of `pc`, as far as it leads there, has to do with a signed return address
 * (DW_CFA_AARCH64_negate_ra_state; DWARF for the Arm 64-bit Architecture, 4.4). */
bool cfi_row_signs(uintptr_t pc);

#endif
