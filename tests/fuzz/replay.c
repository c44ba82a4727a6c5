/* replay.c - runs a fuzzer's target over files and directories of inputs, with any compiler.
 *     fuzz_source_replay corpus/source      prints how many inputs there were; none is an error
 * Threads: one.  Heap: yes. */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replayed;

static void replay(const char *path) {
    char *data;
    size_t size;
    char part[4096];
    FILE *in = fopen(path, "re"), *out = open_memstream(&data, &size);
    if (in == NULL || out == NULL) {
        perror(path);
        exit(2);
    }
    for (size_t got; (got = fread(part, 1, sizeof part, in)) != 0;)
        fwrite(part, 1, got, out);
    fclose(in);
    fclose(out);
    fprintf(stderr, "%s\n", path); /* the last line names the one that crashed */
    /* A copy of exactly this size: reading behind its end is seen by a sanitizer. */
    uint8_t *exact = malloc(size != 0 ? size : 1);
    if (exact == NULL)
        exit(2);
    memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    free(data);
    replayed++;
}

static void replay_all(const char *directory) {
    char path[4096];
    DIR *entries = opendir(directory);
    if (entries == NULL) {
        replay(directory);
        return;
    }
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;)
        if (entry->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
            replay(path);
        }
    closedir(entries);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        replay_all(argv[i]);
    printf("%u inputs\n", replayed);
    return replayed != 0 ? 0 : 1;
}
