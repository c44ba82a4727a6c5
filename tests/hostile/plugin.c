/* plugin.c - what plugins.c loads: one allocation, whose line it can tell. */
#include <stdlib.h>

extern const int plugin_line;
void *plugin_take(size_t size_bytes);
void plugin_give(void *block);

const int plugin_line = __LINE__ + 3;

void *plugin_take(size_t size_bytes) {
    void *block = malloc(size_bytes);
    __asm__ volatile("" ::: "memory"); /* no tail call: the plugin is on the stack */
    return block;
}

void plugin_give(void *block) {
    free(block);
    __asm__ volatile("" ::: "memory");
}
