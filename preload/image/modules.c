/* modules.c - see modules.h.
 * Owns:    MODULES, STRINGS.
 * Threads: any, lock-free.  Signals: safe.  Heap: never. */
#define _GNU_SOURCE
#include "modules.h"

#include "../platform/options.h"
#include "../platform/sys.h"
#include "../platform/text.h"
#include "../unwind/reused_code.h"
#include "image.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>

/* ---- reading an ELF object in memory ---- */

static uint64_t now_ns(void) {
    return sys_clock_ns(CLOCK_MONOTONIC) - image_header->created_monotonic_ns;
}

/* Everything is read by sys_peek: another thread may unmap the object meanwhile (still_mapped). */

/* Takes the build-id of a note that begins with `header`, if it is one (gABI, Note Section). */
static bool take_build_id(struct ht_module *module, const char *note, const ElfW(Nhdr) * header) {
    char owner[4];
    if (header->n_type != NT_GNU_BUILD_ID || header->n_namesz != sizeof owner ||
        header->n_descsz > HT_BUILD_ID_BYTES || !sys_peek(note + sizeof *header, owner, sizeof owner) ||
        memcmp(owner, "GNU", sizeof owner) != 0)
        return false;
    if (!sys_peek(note + sizeof *header + sizeof owner, module->build_id, header->n_descsz))
        return false;
    module->build_id_bytes = (uint8_t)header->n_descsz;
    return true;
}

/* Looks for NT_GNU_BUILD_ID in one PT_NOTE segment. */
static void find_build_id(struct ht_module *module, const char *note, size_t bytes, size_t align) {
    ElfW(Nhdr) header;
    while (bytes >= sizeof header && sys_peek(note, &header, sizeof header)) {
        size_t name = (header.n_namesz + (size_t)3) & ~(size_t)3;
        size_t need = sizeof header + name + ((header.n_descsz + align - 1) & ~(align - 1));
        if (name > bytes || header.n_descsz > bytes || sizeof header + name + header.n_descsz > bytes)
            return;
        if (take_build_id(module, note, &header) || need > bytes)
            return;
        note += need;
        bytes -= need;
    }
}

static void add_segment(struct ht_module *module, const ElfW(Phdr) * segment) {
    if (module->segment_count == HT_MODULE_SEGMENTS)
        return;
    module->segments[module->segment_count++] =
        (struct ht_segment){segment->p_vaddr, segment->p_memsz, segment->p_offset, segment->p_flags, 0};
}

static void read_segment(struct ht_module *module, const ElfW(Phdr) * at) {
    if (at->p_type == PT_LOAD)
        add_segment(module, at);
    if (at->p_type == PT_NOTE && module->build_id_bytes == 0)
        find_build_id(module, (const char *)(module->load_bias + at->p_vaddr), at->p_memsz,
                      at->p_align == 8 ? 8 : 4);
}

#define HEADERS_AT_ONCE 16u

/* The object's own ELF header is at its start: its first segment holds it. */
static void read_segments(struct ht_module *module) {
    ElfW(Ehdr) header;
    ElfW(Phdr) some[HEADERS_AT_ONCE];
    if (!sys_peek((const void *)(uintptr_t)module->start, &header, sizeof header) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_phentsize != sizeof *some)
        return;
    const ElfW(Phdr) *from = (const ElfW(Phdr) *)(uintptr_t)(module->start + header.e_phoff);
    for (uint32_t i = 0; i < header.e_phnum; i += HEADERS_AT_ONCE) {
        uint32_t count = header.e_phnum - i < HEADERS_AT_ONCE ? header.e_phnum - i : HEADERS_AT_ONCE;
        if (!sys_peek(from + i, some, count * sizeof *some))
            return;
        for (uint32_t j = 0; j < count; j++)
            read_segment(module, &some[j]);
    }
}

/* ---- recording ---- */

static uint64_t add_string(const char *string) {
    size_t bytes = strlen(string) + 1;
    uint64_t at = image_take(HT_REGION_STRINGS, bytes);
    if (at == 0)
        image_lose(HT_LOSS_MODULES, 1);
    else
        memcpy(image_strings + at, string, bytes);
    return at;
}

/* The loader's name: empty for the executable, relative where LD_LIBRARY_PATH or dlopen was. */
static uint64_t add_path(uintptr_t start, const char *loader_name) {
    char path[2 * HT_PATH_BYTES];
    struct text text = text_in(path, sizeof path);
    if (start == getauxval(AT_SYSINFO_EHDR)) {
        text_add(&text, "[vdso]");
    } else if (loader_name == NULL || loader_name[0] == '\0') {
        text_add(&text, image_header->executable);
    } else {
        if (loader_name[0] != '/') {
            text_add(&text, options.working_directory);
            text_add(&text, "/");
        }
        text_add(&text, loader_name);
    }
    return add_string(path);
}

static uint32_t record(uintptr_t bias, uintptr_t start, uintptr_t end, const char *loader_name) {
    uint64_t index = image_take(HT_REGION_MODULES, 1);
    if (index == 0) {
        image_lose(HT_LOSS_MODULES, 1);
        return 0;
    }
    struct ht_module *module = &image_modules[index];
    module->load_bias = bias;
    module->start = start;
    module->end = end;
    module->mapped_ns = now_ns();
    module->path = add_path(start, loader_name);
    read_segments(module);
    /* release: partner of the acquire load in find_recorded and in readers */
    __atomic_store_n(&module->valid, 1, __ATOMIC_RELEASE);
    return (uint32_t)index;
}

static bool is_mapped(const struct ht_module *module) {
    return __atomic_load_n(&module->valid, __ATOMIC_ACQUIRE) != 0 &&
           __atomic_load_n(&module->unmapped_ns, __ATOMIC_RELAXED) == 0; /* a hint, else asked again */
}

static uint32_t module_bound(void) {
    return (uint32_t)__atomic_load_n(&image_header->regions[HT_REGION_MODULES].used_records,
                                     __ATOMIC_RELAXED);
}

/* The mapped module with these very bounds, the newest first. */
static uint32_t find_recorded(uintptr_t start, uintptr_t end) {
    for (uint32_t i = module_bound() - 1; i != 0; i--)
        if (is_mapped(&image_modules[i]) && image_modules[i].start == start && image_modules[i].end == end)
            return i;
    return 0;
}

uint32_t modules_find(uintptr_t pc) {
    struct dl_find_object found;
    if (_dl_find_object((void *)pc, &found) != 0)
        return 0;
    uintptr_t start = (uintptr_t)found.dlfo_map_start, end = (uintptr_t)found.dlfo_map_end;
    uint32_t index = find_recorded(start, end);
    if (index != 0)
        return index;
    const struct link_map *map = found.dlfo_link_map;
    return record(map->l_addr, start, end, map->l_name);
}

static int record_loaded(struct dl_phdr_info *info, size_t bytes, void *unused) {
    (void)bytes;
    (void)unused;
    for (ElfW(Half) i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X) != 0) {
            modules_find(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
            break;
        }
    return 0;
}

void modules_record_all(void) {
    dl_iterate_phdr(record_loaded, NULL);
}

/* ---- unmapped ranges ---- */

/* Still there: the loader has an object with these bounds and, if it had one, this build-id. */
static bool still_mapped(const struct ht_module *module) {
    struct dl_find_object found;
    if (_dl_find_object((void *)(uintptr_t)module->start, &found) != 0)
        return false;
    if ((uintptr_t)found.dlfo_map_start != module->start || (uintptr_t)found.dlfo_map_end != module->end)
        return false;
    /* not found.dlfo_link_map->l_addr: another thread's dlclose may have freed that */
    struct ht_module now = {.load_bias = module->load_bias, .start = module->start};
    read_segments(&now);
    return now.build_id_bytes == module->build_id_bytes &&
           memcmp(now.build_id, module->build_id, sizeof now.build_id) == 0;
}

void modules_sweep(void) {
    for (uint32_t i = 1; i < module_bound(); i++) {
        struct ht_module *module = &image_modules[i];
        uint64_t mapped = 0;
        if (!is_mapped(module) || still_mapped(module))
            continue;
        if (__atomic_compare_exchange_n(&module->unmapped_ns, &mapped, now_ns(), false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            if (!reused_code_add(module->start, module->end))
                image_lose(HT_LOSS_MODULES, 1);
    }
}
