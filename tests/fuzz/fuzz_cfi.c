/* fuzz_cfi.c - call frame information as a loaded object has it -> rows, as the tracer reads them in a
 * program that it traces, where a read of what is not the object's would be a crash of that program.
 *
 * An input is where .eh_frame_hdr begins (2 bytes), three addresses to ask for (4 bytes each, from the
 * object's start), and the object as it lies in memory. It lies between two areas that nobody may read, as
 * far as an offset of 32 bits leads, at the end of its pages or at their start: by whether the input's size
 * is odd.
 *
 * Threads: one.  Heap: no. */
#define _GNU_SOURCE
#include "../../preload/unwind/cfi_row.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int __wrap__dl_find_object(void *pc, struct dl_find_object *found);

#define REQUIRE(condition)                                                                                   \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

#define ASKED  3
#define AROUND ((size_t)5 << 30) /* on either side */
#define ROOM   ((size_t)1 << 16)

struct head {
    uint16_t header_at;
    uint8_t asked[ASKED * sizeof(uint32_t)];
};

static uint8_t *object, *object_end, *header;

/* The loader's, of which there is one object. */
int __wrap__dl_find_object(void *pc, struct dl_find_object *found) {
    if ((uint8_t *)pc < object || (uint8_t *)pc >= object_end)
        return -1;
    memset(found, 0, sizeof *found);
    found->dlfo_map_start = object;
    found->dlfo_map_end = object_end;
    found->dlfo_eh_frame = header;
    return 0;
}

static uint8_t *make_room(void) {
    uint8_t *all =
        mmap(NULL, AROUND + ROOM + AROUND, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    REQUIRE(all != MAP_FAILED && mprotect(all + AROUND, ROOM, PROT_READ | PROT_WRITE) == 0);
    return all + AROUND;
}

static void check_row(uintptr_t pc) {
    struct cfi_row row = cfi_row_at(pc), again = cfi_row_at(pc);
    REQUIRE(memcmp(&row, &again, sizeof row) == 0);
    REQUIRE(row.kind <= CFI_OTHER && (row.bp & CFI_BP_PLACE) <= CFI_BP_FRAME);
    if (row.kind == CFI_FROM_BP || row.kind == CFI_FROM_SAVED)
        REQUIRE((row.bp & CFI_BP_USED) != 0);
    REQUIRE(cfi_row_signs(pc) == cfi_row_signs(pc));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t *room;
    struct head head;
    if (size <= sizeof head || size - sizeof head > ROOM)
        return 0;
    room = room != NULL ? room : make_room();
    memcpy(&head, data, sizeof head);
    size -= sizeof head;
    object = size % 2 != 0 ? room : room + ROOM - size;
    object_end = object + size;
    header = object + head.header_at % size;
    memset(room, 0, ROOM);
    memcpy(object, data + sizeof head, size);
    for (int i = 0; i < ASKED; i++) {
        uint32_t offset;
        memcpy(&offset, head.asked + (size_t)i * sizeof offset, sizeof offset);
        check_row((uintptr_t)object + offset % size);
    }
    check_row((uintptr_t)object_end);
    return 0;
}
