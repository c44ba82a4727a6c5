/* memory.c - what the tables of model_blocks.c and model_index.c stand on: the machine's own memory, which is
 * never given back. */
#include "machine.h"

#include "platform/arena.h"
#include "platform/sys.h"

void *arena_map(size_t bytes) {
    return machine_memory(bytes);
}

int sys_unmap(void *address, size_t bytes) {
    (void)address;
    (void)bytes;
    return 0;
}

/* Nothing that is advised changes what is read: pages that are mapped early, or given back and zeroed, and
 * tables here are too small for whole pages of them to be given back. */
int sys_advise(void *address, size_t bytes, int advice) {
    (void)address;
    (void)bytes;
    (void)advice;
    return 0;
}
