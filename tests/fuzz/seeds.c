/* seeds.c DIRECTORY - writes the synthetic heap of the unit tests as inputs of fuzz_source: an image, a
 * snapshot, a packed one. The corpus begins with these; they follow the format, which stored ones cannot.
 * Threads: one.  Heap: yes. */
#define _GNU_SOURCE
#include "make_snapshot.h"

#include <stdio.h>
#include <stdlib.h>

#define HEAD_BYTES offsetof(struct ht_header, label)
#define TAIL_BYTES (sizeof(struct ht_header) - offsetof(struct ht_header, regions))

static void store(const char *directory, const char *name, unsigned char choice, const char *file,
                  size_t size_bytes) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *out = fopen(path, "we");
    if (out == NULL) {
        perror(path);
        exit(1);
    }
    fputc(choice, out);
    fwrite(file, 1, HEAD_BYTES, out);
    fwrite(file + offsetof(struct ht_header, regions), 1, TAIL_BYTES, out);
    fwrite(file + HT_HEADER_BYTES, 1, size_bytes - HT_HEADER_BYTES, out);
    if (fclose(out) != 0)
        exit(1);
}

/* Offsets in a file count its header. */
int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    struct tables *tables = make_example();
    for (int form = 0; form < 3; form++) {
        static const char *const names[] = {"image", "snapshot", "packed"};
        static const unsigned char choices[] = {2, 1, 9}; /* see fuzz_source.c */
        size_t size;
        char *file = form == 0 ? make_image(tables, &size) : make_snapshot(tables, form == 2, &size);
        store(argv[1], names[form], choices[form], file, size);
        free(file);
    }
    tables_free(tables);
    return 0;
}
