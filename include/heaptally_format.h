/* heaptally_format.h - the layout of a live image and of a snapshot file.
 *
 * The only fact that the traced process and the command share. An image is written by many threads
 * while others read it; a snapshot is an image at rest, its regions packed behind the header.
 *
 *     image      header | region | region | ...          sparse, each region at its full capacity
 *     snapshot   header | region's bytes | ...           only the used records, plain or zstd
 *
 * All integers are in the byte order and all addresses in the width of the machine that wrote the file
 * (`byte_order`, `pointer_bytes`); a reader refuses what it was not built for. Offsets and sizes are in
 * bytes unless their name says otherwise. Every record type has a fixed size, asserted below; record 0
 * of a region is never used and all zero, so that an id of 0 means "none" (and string 0 is empty).
 *
 * Fields marked (atomic) change while a program runs. Which one publishes which:
 *   - a stack record is valid when `hash_lo` is not 0: loaded with acquire, it makes the record and its
 *     frames, PCs, modules and strings visible;
 *   - a cell is valid when `stack` is not 0; while `write_sequence` is odd its owner is in the middle of
 *     an update (at most one event); a reader copies between two equal, even values of it;
 *   - `used_records` of a region bounds what can be referenced, `committed_bytes` what can be touched. */
#ifndef HEAPTALLY_FORMAT_H
#define HEAPTALLY_FORMAT_H

#include <stdint.h>

/* Eight bytes at offset 0, stored last when a snapshot is written. */
#define HT_MAGIC "HEAPTALY"
/* major << 16 | minor. A reader refuses another major version, and accepts any minor. */
#define HT_VERSION         0x00030001u
#define HT_BYTE_ORDER      0x01020304u
#define HT_HEADER_BYTES    16384u

#define HT_IMAGE_SUFFIX    ".htimage"
#define HT_SNAPSHOT_SUFFIX ".hts"

enum ht_kind { HT_KIND_IMAGE = 1, HT_KIND_SNAPSHOT = 2 };

enum ht_state {
    HT_STATE_RUNNING = 1, /* a process owns the image; dead if no process has its pid and start time */
    HT_STATE_EXITED = 2,  /* left by exit(), its last snapshot could not be written */
};

/* What made a snapshot. */
enum ht_trigger {
    HT_TRIGGER_NONE = 0,
    HT_TRIGGER_EXIT = 1,    /* exit() or return from main */
    HT_TRIGGER_SIGNAL = 2,  /* HEAPTALLY_SIGNAL */
    HT_TRIGGER_API = 3,     /* heaptally_snapshot() */
    HT_TRIGGER_OUTSIDE = 4, /* the command, of a running process */
    HT_TRIGGER_IMAGE = 5,   /* the command, from the image of a dead process */
};

enum ht_region_id {
    HT_REGION_MODULES = 0,    /* struct ht_module */
    HT_REGION_STRINGS = 1,    /* bytes; every string ends in NUL */
    HT_REGION_PCS = 2,        /* struct ht_pc */
    HT_REGION_FRAMES = 3,     /* uint32_t, see HT_FRAME_* */
    HT_REGION_STACKS = 4,     /* struct ht_stack */
    HT_REGION_CELLS = 5,      /* struct ht_cell */
    HT_REGION_SLOTS = 6,      /* struct ht_slot */
    HT_REGION_SAMPLES = 7,    /* struct ht_sample; empty unless sample_bytes */
    HT_REGION_MISMATCHES = 8, /* struct ht_mismatch; empty unless stacks are verified */
    HT_REGION_CONTEXTS = 9,   /* struct ht_context */
    HT_REGION_DETAILS = 10,   /* struct ht_detail; empty unless temporary_below */
    HT_REGIONS = 11,
};

enum ht_codec { HT_CODEC_PLAIN = 0, HT_CODEC_ZSTD = 1 };

struct ht_region {
    uint32_t record_bytes;
    uint32_t codec;           /* enum ht_codec; images are plain */
    uint64_t offset;          /* from the start of the file */
    uint64_t capacity_bytes;  /* of an image: address space; of a snapshot: used_records * record_bytes */
    uint64_t committed_bytes; /* (atomic) of an image: touchable; of a snapshot: as capacity_bytes */
    uint64_t used_records;    /* (atomic) handed out, record 0 included */
    uint64_t stored_bytes;    /* snapshot: bytes in the file, after the codec; image: 0 */
    uint64_t checksum;        /* snapshot: XXH64, seed 0, of the stored bytes; image: 0 */
};

/* A loaded ELF object. PCs point to it, so two libraries that lived at one address stay apart. */
#define HT_MODULE_SEGMENTS 8
#define HT_BUILD_ID_BYTES  32

struct ht_segment {
    uint64_t vaddr; /* in the file's own addresses: run-time address - load_bias */
    uint64_t memory_bytes;
    uint64_t file_offset;
    uint32_t flags; /* PF_R, PF_W, PF_X */
    uint32_t reserved;
};

struct ht_module {
    uint64_t load_bias;   /* run-time address - ELF address */
    uint64_t start, end;  /* run-time extent [start, end) */
    uint64_t mapped_ns;   /* when first seen, ns since created_monotonic_ns */
    uint64_t unmapped_ns; /* (atomic) when seen to be gone; 0: still there */
    uint64_t path;        /* offset in STRINGS; absolute, or "[vdso]" */
    uint32_t valid;       /* (atomic) 1 when published */
    uint8_t build_id_bytes;
    uint8_t segment_count;
    uint16_t reserved;
    uint8_t build_id[HT_BUILD_ID_BYTES];
    struct ht_segment segments[HT_MODULE_SEGMENTS];
    uint64_t reserved2[9];
};
_Static_assert(sizeof(struct ht_module) == 416, "ht_module is part of the file format");

/* A distinct program counter. For a caller's frame it is the return address: the call is at pc - 1. */
struct ht_pc {
    uint64_t pc;     /* run-time address */
    uint32_t module; /* index in MODULES, or 0 (JIT code, or its module was lost) */
    uint32_t salt;   /* how often the address range had been unmapped before */
};
_Static_assert(sizeof(struct ht_pc) == 16, "ht_pc is part of the file format");

/* A frame is the index of its PC; the flag marks a PC that a signal interrupted: that very
 * instruction, not the one after a call. */
#define HT_FRAME_EXACT 0x80000000u
#define HT_FRAME_PC    0x7fffffffu

/* A call stack. Its frames, outermost first, are `kept` frames of stack `base` and then frame_count - kept
 * entries of FRAMES from first_frame on; base < own id, so decoding ends. Those of the base are its first but
 * for as many as the base has more of the outermost ones: depth - frame_count of this stack less that of the
 * base, which is at least 0.
 * Of a stack without frames, base is the reason if there is one (HT_STACK_UNATTRIBUTED), in a context.
 * depth > frame_count: the oldest depth - frame_count frames were not kept (HEAPTALLY_NFRAME).
 *
 * The hash is the values of two polynomials with the recorded frames as coefficients, outermost first, each
 * at a secret point of hash_key, modulo the prime p = 2^61 - 1 (Horner's rule: h = h * point + x, from h =
 * 1), where x = 1 + pc + (exact << 49) + (part of salt << 50), exact is 1 if the frame is HT_FRAME_EXACT, and
 * the part is bits 0-10 of the salt of ht_pc in the first, bits 11-21 in the second. Two different stacks of
 * at most n frames meet with a probability of at most ((n + 1) / 2^59)^2 over the choice of the points below
 * 2^59: among the 10^14 / 2 pairs of 10^7 stacks of 128 frames any two do with less than 2^-58. A published
 * hash has hash_lo != 0. A context other than 0 is one more coefficient, 1 + context, behind those of the
 * frames: no PC is so small. */
struct ht_stack {
    uint64_t hash_lo; /* (atomic) stored last */
    uint64_t hash_hi;
    uint32_t base;
    uint32_t first_frame;
    uint16_t kept;
    uint16_t frame_count;
    uint16_t depth;   /* untruncated, as first seen; HT_DEPTH_MAX means "or more" */
    uint16_t context; /* index in CONTEXTS; 0: the heap, outside of scopes, without a tag */
};
_Static_assert(sizeof(struct ht_stack) == 32, "ht_stack is part of the file format");

/* What a program said of its blocks (heaptally.h) beside their stack. Equal contexts may stand here twice.
 *
 * The sums are of the blocks of all stacks of the context and of those that have it as a parent, at once or
 * not. They are figures of their own, each exact, not of one moment. */
struct ht_context {
    uint32_t valid;  /* (atomic) 1 when published */
    uint32_t domain; /* as the program numbers them; HT_DOMAIN_* */
    uint32_t parent; /* its scope alone; of a scope alone, the one around it. 0: there is none */
    uint32_t reserved;
    uint64_t domain_name; /* (atomic) offset in STRINGS; 0: it has none */
    uint64_t scope;       /* offset in STRINGS: the open scopes, outermost first, joined by '/' */
    uint64_t tag;         /* offset in STRINGS */
    uint64_t begun;       /* (atomic) how often the scope was begun */
    uint64_t allocations; /* (atomic), as all below */
    uint64_t allocated_bytes;
    uint64_t frees;
    uint64_t freed_bytes;
    uint64_t peak_bytes; /* the maximum of allocated_bytes - freed_bytes */
    uint64_t reserved2[5];
};
_Static_assert(sizeof(struct ht_context) == 128, "ht_context is part of the file format");

#define HT_DOMAIN_HEAP  0u
#define HT_DOMAIN_MMAP  1u /* HEAPTALLY_MMAP */
#define HT_CONTEXTS_MAX 65535u
#define HT_SCOPE_BYTES                                                                                       \
    1024u /* of a scope's whole name, and of a tag and of a domain's name, NUL included                      \
           */

#define HT_NFRAME_MAX 65535u
#define HT_DEPTH_MAX  65535u

/* Stacks with no frames that stand for a reason. */
enum {
    HT_STACK_NONE = 0,
    HT_STACK_OVERFLOW = 1,     /* the tables were full when its blocks were allocated */
    HT_STACK_UNATTRIBUTED = 2, /* allocated by a signal handler that interrupted the tracer itself */
    HT_STACK_FIRST = 3,
};

/* What one thread slot allocated and freed of one stack's blocks. A block freed by another thread is
 * counted in a cell of that thread, so live = allocated - freed holds for the sum over a stack's cells
 * and may be negative in one. peak_*: live at the last global maximum, if peak_sequence equals the
 * header's; else the maximum came after the last event of this cell and its live values are those. */
struct ht_cell {
    uint64_t allocations;     /* (atomic), as all below */
    uint64_t allocated_bytes; /* requested sizes */
    uint64_t frees;
    uint64_t freed_bytes;
    int64_t peak_bytes;
    int64_t peak_blocks;
    uint32_t write_sequence; /* odd while the owner writes */
    uint32_t peak_sequence;
    uint32_t stack; /* index in STACKS; stored last */
    uint32_t slot;  /* index in SLOTS */
};
_Static_assert(sizeof(struct ht_cell) == 64, "ht_cell is part of the file format");

/* Sampling (sample_bytes = R > 0). A block of s bytes is traced with probability p = 1 - exp(-s / R), and a
 * traced one stands for 1 / p blocks of s bytes each: all figures of cells and totals are then sums of these,
 * unbiased estimates (Horvitz and Thompson, 1952). The sums are kept here in small parts, since 1 / p is no
 * whole number; a cell has them rounded. What such a sum is uncertain by is estimated, unbiased too, by the
 * sum of s^2 (1 - p) / p^2 over the traced blocks: the variance of the bytes; and of (1 - p) / p^2: of the
 * blocks. Record i belongs to cell i, and as there, live = allocated - freed holds for the sum over a stack's
 * cells. */
#define HT_SAMPLE_BLOCK 65536u /* parts of a block */
#define HT_SAMPLE_BYTE  256u   /* parts of a byte */
struct ht_sample {
    double allocated_bytes_variance; /* (atomic), as all below; bytes^2 */
    double freed_bytes_variance;
    double peak_bytes_variance; /* as peak_bytes of the cell */
    double allocated_blocks_variance;
    double freed_blocks_variance;
    double peak_blocks_variance;
    uint64_t allocations; /* traced, not estimated */
    uint64_t frees;
    uint64_t allocated_block_parts, freed_block_parts; /* HT_SAMPLE_BLOCK a block */
    uint64_t allocated_byte_parts, freed_byte_parts;   /* HT_SAMPLE_BYTE a byte */
    uint64_t reserved[4];
};
_Static_assert(sizeof(struct ht_sample) == 128, "ht_sample is part of the file format");

/* HEAPTALLY_DETAILS (temporary_below > 0): more of what cell i counts, written under its write_sequence. A
 * cell beyond the region's records has none. Times are in ns since details_epoch_ns of the header.
 *
 * A histogram by powers of two has in bucket 0 what is 0, in bucket k what is from 2^(k-1) to 2^k - 1, and in
 * its last one all that is larger. Blocks whose birth found no room (HT_LOSS_BIRTHS) are only in the
 * histograms of sizes. As in cells, what lives is right for the sum over a stack's cells alone: a block freed
 * by another thread is counted in a cell of that thread, where live counts fall below 0. Those of 32 bits are
 * to be added modulo 2^32. */
#define HT_DETAIL_SIZES  32u
#define HT_DETAIL_LATER  24u
#define HT_DETAIL_TIMES  32u
#define HT_DETAIL_AGES   16u
#define HT_DETAIL_NS_LOG 10u /* lifetimes are counted in units of 2^10 ns */
struct ht_detail {
    uint64_t temporaries; /* (atomic), as all below; freed before the next temporary_below allocations of the
                             slot that allocated them */
    uint64_t temporary_bytes;
    uint64_t reallocs; /* allocations by a realloc of a block; requested bytes of the new blocks */
    uint64_t realloc_bytes;
    uint64_t moves; /* of these reallocs: to another address; bytes that had to be copied, the smaller size */
    uint64_t moved_bytes;
    uint64_t grown_in_place, shrunk_in_place; /* the rest has kept its size and its place */
    uint64_t allocated_waste_bytes;           /* usable size less requested size */
    uint64_t freed_waste_bytes;
    int64_t peak_waste_bytes; /* as peak_bytes of the cell */
    uint64_t last_ns;         /* of the cell's last event */
    uint32_t age_shift;       /* births are counted in units of 2^age_shift ns; it grows, and units merge */
    uint32_t reserved;
    uint64_t reserved2[3];
    uint64_t sizes[HT_DETAIL_SIZES];                 /* requested sizes of all allocations */
    uint32_t live_sizes[HT_DETAIL_SIZES];            /* of what lives */
    uint64_t lifetimes_allocations[HT_DETAIL_LATER]; /* of frees: later allocations of the block's slot */
    uint64_t lifetimes_ns[HT_DETAIL_TIMES]; /* of frees: time since the allocation >> HT_DETAIL_NS_LOG */
    uint32_t birth_blocks[HT_DETAIL_AGES];  /* of what lives: by birth >> age_shift */
    int64_t birth_bytes[HT_DETAIL_AGES];
};
_Static_assert(sizeof(struct ht_detail) == 1152, "ht_detail is part of the file format");

/* HEAPTALLY_VERIFY_UNWIND: a stack that two unwinders found different, newest frames first. Of the first few
 * only; mismatched_stacks counts all. */
#define HT_MISMATCH_FRAMES 126
#define HT_MISMATCHES_MAX  32 /* records, record 0 included */
struct ht_mismatch {
    uint32_t valid;                      /* (atomic) 1 when published */
    uint32_t differs_at;                 /* the first frame that differs, 0 the newest */
    uint32_t frame_count;                /* found by `unwinder` of the header; may exceed what is kept here */
    uint32_t reference_count;            /* found by libunwind's unw_step */
    uint64_t verified;                   /* how many stacks had been verified by then */
    uint64_t stack_pointer;              /* of the newest frame */
    uint64_t frames[HT_MISMATCH_FRAMES]; /* run-time addresses */
    uint64_t reference[HT_MISMATCH_FRAMES];
};
_Static_assert(sizeof(struct ht_mismatch) == 2048, "ht_mismatch is part of the file format");

/* A thread slot: its owner, or the last one if that thread has ended. */
struct ht_slot {
    uint32_t tid;             /* (atomic) 0: free */
    uint32_t threads;         /* how many threads have held the slot */
    int64_t unflushed_bytes;  /* (atomic) live bytes not yet added to totals.live_bytes */
    uint64_t unmatched_frees; /* (atomic) of blocks that were never seen */
    uint64_t lost_frees;      /* (atomic) blocks that must have been freed without our seeing it */
    uint64_t deferred;        /* (atomic) events that interrupted the tracer and were counted after it */
    uint64_t reserved[3];
};
_Static_assert(sizeof(struct ht_slot) == 64, "ht_slot is part of the file format");

/* What was lost, and why. All (atomic); 0 in a run that missed nothing. */
enum ht_loss {
    HT_LOSS_OVERFLOW_ALLOCATIONS = 0, /* attributed to HT_STACK_OVERFLOW: tables full */
    HT_LOSS_UNTRACKED_BLOCKS = 1,     /* never entered: no memory for the block table, no slot */
    HT_LOSS_UNTRACKED_BYTES = 2,
    HT_LOSS_DEFERRED = 3,      /* events in signal handlers beyond what a thread can put off */
    HT_LOSS_SNAPSHOTS = 4,     /* snapshots that could not be written */
    HT_LOSS_COMMIT = 5,        /* the file system or the memory limit refused to grow the image */
    HT_LOSS_NO_FILE = 6,       /* 1: there is no file, only memory: nobody can read it from outside */
    HT_LOSS_MODULES = 7,       /* modules or paths that found no room */
    HT_LOSS_CLIPPED_SIZES = 8, /* blocks over 4 GiB whose size was cut to 4 GiB - 1 when freed */
    HT_LOSS_FORK = 9,          /* forked children that could not make an image of their own: not traced */
    HT_LOSS_FREES = 10,        /* frees that found no room to be counted: live is too high by these blocks */
    HT_LOSS_CONTEXTS = 11,     /* scopes, tags and domains that found no room: counted without them */
    HT_LOSS_DETAILS = 12,      /* events of cells that found no room for details */
    HT_LOSS_BIRTHS = 13, /* blocks whose birth found no room: their waste, age and lifetime are not known */
    HT_LOSSES = 16,
};

/* Two lines of the cache: what threads write when they flush, and what all of them read at every event. */
struct ht_totals {
    uint64_t live_bytes; /* (atomic) without what the slots have not flushed */
    uint64_t reserved[7];
    uint64_t peak_bytes;        /* (atomic) largest live_bytes that a free has ended */
    uint64_t peak_sequence;     /* (atomic) counts the maxima; the low 32 bits are what cells keep */
    uint64_t quantum_bytes;     /* (atomic) what a slot may hold back; 0: one thread, exact */
    uint64_t quantum_max_bytes; /* (atomic) the largest quantum so far */
    uint64_t slots_in_use;      /* (atomic) */
    uint64_t sweep_below;       /* (atomic) live bytes below which the tracer looks for memory to give back */
    uint64_t quiet_bytes; /* (atomic) peak_bytes - sweep_below: between the two a free has nothing to do */
    uint64_t reserved2[1];
};
_Static_assert(sizeof(struct ht_totals) == 128, "ht_totals is part of the file format");

#define HT_LABEL_BYTES        128
#define HT_PROGRAM_BYTES      64
#define HT_PATH_BYTES         1024
#define HT_COMMAND_LINE_BYTES 4096

struct ht_header {
    char magic[8];
    uint32_t version;
    uint32_t header_bytes; /* HT_HEADER_BYTES */
    uint32_t byte_order;
    uint32_t kind;    /* enum ht_kind */
    uint16_t machine; /* ELF e_machine */
    uint16_t pointer_bytes;
    uint32_t state; /* (atomic) enum ht_state */
    uint32_t pid;
    uint32_t parent_pid;
    uint32_t user_id;
    uint32_t nframe;
    uint64_t start_ticks;          /* field 22 of /proc/PID/stat; with pid, names a process for good */
    uint64_t created_realtime_ns;  /* CLOCK_REALTIME */
    uint64_t created_monotonic_ns; /* CLOCK_MONOTONIC */
    uint64_t taken_realtime_ns;    /* snapshot */
    uint32_t trigger;              /* snapshot: enum ht_trigger */
    uint32_t snapshots;            /* (atomic) image: number of the last snapshot; snapshot: its own */
    uint64_t hash_key[2];          /* of hash_lo, of hash_hi */
    uint64_t budget_bytes;         /* HEAPTALLY_MEMORY */
    uint64_t committed_bytes;      /* (atomic) of all regions */
    uint64_t private_bytes;        /* (atomic) tables outside of the image */
    uint64_t inherited_blocks;     /* of a forked child: live at its start, counted as allocations */
    uint64_t inherited_bytes;
    uint32_t command_line_bytes;
    uint32_t exec_index;            /* how many images this process had before: one for each exec */
    uint64_t session;               /* of `heaptally run`: its number for this run; else 0 */
    uint64_t signal;                /* the snapshot signal that is installed; 0: none */
    uint64_t header_checksum;       /* snapshot: XXH64, seed 0, of header_bytes with this field 0 */
    uint64_t sample_bytes;          /* HEAPTALLY_SAMPLE: the mean distance between traced bytes; 0: exact */
    uint64_t verify_every;          /* HEAPTALLY_VERIFY_UNWIND; 0: off */
    uint64_t verified_stacks;       /* (atomic) */
    uint64_t mismatched_stacks;     /* (atomic) */
    uint64_t guessed_stacks;        /* (atomic) differed below a frame without CFI: there both guess */
    uint64_t clears;                /* (atomic) how often all traces were cleared, by the program */
    uint64_t stopped;               /* (atomic) 1: the program has stopped tracing, or not begun it */
    uint64_t temporary_below;       /* HEAPTALLY_TEMPORARY where HEAPTALLY_DETAILS is set; 0: no details */
    uint64_t details_epoch_ns;      /* CLOCK_MONOTONIC; a forked child has its parent's */
    uint64_t taken_monotonic_ns;    /* snapshot of a process that ran; else 0 */
    char label[HT_LABEL_BYTES];     /* snapshot: of heaptally_snapshot() */
    char program[HT_PROGRAM_BYTES]; /* its name: the last component of its first argument */
    char executable[HT_PATH_BYTES]; /* links followed */
    char working_directory[HT_PATH_BYTES];
    char unwinder[32];
    char command_line[HT_COMMAND_LINE_BYTES]; /* arguments, each ended by NUL; cut if longer */
    struct ht_region regions[HT_REGIONS];
    _Alignas(64) struct ht_totals totals;
    _Alignas(64) uint64_t losses[HT_LOSSES]; /* (atomic) enum ht_loss */
};
_Static_assert(sizeof(struct ht_region) == 56, "ht_region is part of the file format");
_Static_assert(sizeof(struct ht_header) <= HT_HEADER_BYTES, "the header has its own pages");

#endif
