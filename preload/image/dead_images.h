/* dead_images.h - images whose process is gone live in memory, so what they hold together is bounded.
 * Threads: any.  Signals: safe.  Heap: never. */
#ifndef HEAPTALLY_DEAD_IMAGES_H
#define HEAPTALLY_DEAD_IMAGES_H

/* Removes dead images of `directory`, the oldest first, until they hold at most 256 MiB and are at most
 * 100. Images of living processes are never touched. */
void dead_images_bound(const char *directory);

#endif
