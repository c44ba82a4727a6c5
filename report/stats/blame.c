/* blame.c - see blame.h. The lists are meant to be read: short, and each entry with its reason.
 * Owns:    the compiled patterns.
 * Threads: any.  Signals: no.  Heap: yes (compiling). */
#include "blame.h"
#include "wildcard.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *const functions[] = {
    /* the allocator itself and its usual wrappers: malloc, je_malloc, xmalloc, sqlite3_malloc ... */
    "*malloc",
    "*calloc",
    "*realloc",
    "*reallocarray",
    "*memalign",
    "aligned_alloc",
    "valloc",
    "pvalloc",
    "*strdup",
    "*strndup",
    "*memdup",
    "*asprintf",
    "operator new",
    "operator new[[]]",
    "heaptally_track", /* in heaptally.h; who calls it named the block */
    /* C++: the standard library */
    "std::*",
    "__gnu_cxx::*",
    "boost::container::*",
    /* Rust: the standard library's collections and glue */
    "alloc::*",
    "<alloc::*",
    "core::*",
    "<core::*",
    "std[0-9]*::*",
    "hashbrown::*",
    "<hashbrown::*",
    "__rust_alloc*",
    "__rg_*",
    "__rdl_*",
    /* glib, apr, python and others that hand out memory in their own name */
    "g_malloc*",
    "g_realloc*",
    "g_slice_*",
    "g_try_*alloc*",
    "PyMem_*",
    "PyObject_Malloc",
    "PyObject_Calloc",
    "PyObject_Realloc",
    "_PyMem_*",
    "_PyObject_Malloc",
    "_PyObject_Realloc",
    /* D: the run-time's allocation hooks */
    "_d_new*",
    "_d_array*",
    "core.memory.*",
    NULL,
};

static const char *const files[] = {
    "/usr/include/c++/*",  "*/include/c++/*",     "*/bits/*.h", "*/bits/*.tcc",
    "*/ext/*allocator*.h", "*/libstdc++-v3/*",    "*/libcxx/*", "/rustc/*",
    "*/rustlib/src/*",     "*/rustc-*/library/*", NULL,
};

const char *const *blame_functions(void) {
    return functions;
}

const char *const *blame_files(void) {
    return files;
}

static bool identifier(char byte) {
    return isalnum((unsigned char)byte) || byte == '_' || byte == '$';
}

/* "operator" as a word of its own. */
static bool operator_at(const char *text, const char *at) {
    static const char word[] = "operator";
    return strncmp(at, word, sizeof word - 1) == 0 && (at == text || !identifier(at[-1])) &&
           !identifier(at[sizeof word - 1]);
}

static const char *operator_end(const char *at) {
    at += strlen("operator");
    if (strncmp(at, "()", 2) == 0)
        return at + 2;
    return at + strcspn(at, "(");
}

/* Finds [start, end): end at the argument list, start after the last blank outside of brackets. */
void blame_qualified_name(const char *function, char *name, size_t name_bytes) {
    static const char anonymous[] = "(anonymous namespace)";
    const char *start = function, *at = function;
    int depth = 0;
    for (; *at != '\0'; at++) {
        if (depth == 0 && operator_at(function, at)) {
            at = operator_end(at);
            break;
        }
        if (strncmp(at, anonymous, sizeof anonymous - 1) == 0) {
            at += sizeof anonymous - 2;
            continue;
        }
        if (*at == '(' && depth == 0)
            break;
        depth += strchr("<({[", *at) != NULL;
        depth -= strchr(">)}]", *at) != NULL && depth > 0;
        if (*at == ' ' && depth == 0)
            start = at + 1;
    }
    size_t length = (size_t)(at - start);
    if (length >= name_bytes)
        length = name_bytes - 1;
    memcpy(name, start, length);
    name[length] = '\0';
}

/* ---- patterns ---- */

struct patterns {
    struct wildcard **items;
    size_t count;
};

struct blame_judge {
    struct patterns functions, files, extra, kept;
};

static bool compile(struct patterns *to, const char *const *patterns, size_t count) {
    to->items = calloc(count + 1, sizeof(struct wildcard *));
    for (; to->items != NULL && to->count < count; to->count++) {
        to->items[to->count] = wildcard_new(patterns[to->count], strlen(patterns[to->count]));
        if (to->items[to->count] == NULL)
            return false;
    }
    return to->items != NULL;
}

static void forget(struct patterns *patterns) {
    for (size_t i = 0; i < patterns->count; i++)
        wildcard_free(patterns->items[i]);
    free(patterns->items);
}

static size_t length_of(const char *const *patterns) {
    size_t count = 0;
    while (patterns[count] != NULL)
        count++;
    return count;
}

struct blame_judge *blame_judge_new(const struct blame *blame) {
    struct blame_judge *self = calloc(1, sizeof *self);
    if (self != NULL && compile(&self->functions, functions, length_of(functions)) &&
        compile(&self->files, files, length_of(files)) &&
        compile(&self->extra, blame->extra, blame->extra_count) &&
        compile(&self->kept, blame->kept, blame->kept_count))
        return self;
    blame_judge_free(self);
    return NULL;
}

void blame_judge_free(struct blame_judge *self) {
    if (self == NULL)
        return;
    forget(&self->functions);
    forget(&self->files);
    forget(&self->extra);
    forget(&self->kept);
    free(self);
}

static bool matches_any(const struct patterns *patterns, const char *text) {
    for (size_t i = 0; text != NULL && text[0] != '\0' && i < patterns->count; i++)
        if (wildcard_matches(patterns->items[i], text, strlen(text)))
            return true;
    return false;
}

bool blame_skips(const struct blame_judge *self, const struct frame *frame) {
    const char *place = frame->file != NULL ? frame->file : frame->module;
    char name[1024] = "";
    if (frame->function != NULL)
        blame_qualified_name(frame->function, name, sizeof name);
    if (matches_any(&self->kept, name) || matches_any(&self->kept, place))
        return false;
    return matches_any(&self->functions, name) || matches_any(&self->files, frame->file) ||
           matches_any(&self->extra, name) || matches_any(&self->extra, place);
}
