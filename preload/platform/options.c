/* options.c - parses HEAPTALLY_* by a table, one row a variable.
 * Owns:    `options`, constant once read.
 * Threads: one.  Signals: no.  Heap: never. */
#include "options.h"
#include "sys.h"
#include "text.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>

#define DEFAULT_OUT "heaptally.%e.%p.%n.hts"
#define MEMORY_MIN  ((uint64_t)1 << 20)
#define MEMORY_MAX  ((uint64_t)64 << 30)
#define SAMPLE_MAX  ((uint64_t)64 << 30)

struct options options;

static bool parse_flag(const char *value, bool *out) {
    *out = value[0] == '1';
    return (value[0] == '0' || value[0] == '1') && value[1] == '\0';
}

static bool parse_nframe(const char *value) {
    uint64_t n;
    if (!text_number(value, &n) || n < 1 || n > HT_NFRAME_MAX)
        return false;
    options.nframe = (uint32_t)n;
    return true;
}

static const struct {
    const char *name;
    int number;
} signal_names[] = {
    {"HUP", SIGHUP},       {"INT", SIGINT},   {"QUIT", SIGQUIT},   {"USR1", SIGUSR1}, {"USR2", SIGUSR2},
    {"PIPE", SIGPIPE},     {"ALRM", SIGALRM}, {"TERM", SIGTERM},   {"CHLD", SIGCHLD}, {"CONT", SIGCONT},
    {"TTIN", SIGTTIN},     {"TTOU", SIGTTOU}, {"URG", SIGURG},     {"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ},
    {"VTALRM", SIGVTALRM}, {"PROF", SIGPROF}, {"WINCH", SIGWINCH}, {"IO", SIGIO},     {"PWR", SIGPWR},
};

/* The signals that a handler may take: not KILL and STOP, and not those that a fault raises. */
static bool signal_usable(uint64_t number) {
    return number < 65 && number != SIGKILL && number != SIGSTOP && number != SIGSEGV && number != SIGBUS &&
           number != SIGILL && number != SIGFPE && number != SIGTRAP && number != SIGABRT &&
           number != SIGSYS && number != 32 && number != 33;
}

static bool parse_signal(const char *value) {
    uint64_t number;
    if (text_equal(value, "none")) {
        options.signal = 0;
        return true;
    }
    if (text_number(value, &number)) {
        options.signal = (int)number;
        return signal_usable(number);
    }
    if (strncmp(value, "SIG", 3) == 0)
        value += 3;
    for (size_t i = 0; i < sizeof signal_names / sizeof *signal_names; i++)
        if (text_equal(value, signal_names[i].name)) {
            options.signal = signal_names[i].number;
            return true;
        }
    return false;
}

/* A number of bytes up to `most`, with or without a suffix. */
static bool parse_bytes(const char *value, uint64_t most, uint64_t *out) {
    uint64_t bytes;
    unsigned shift = 0;
    if (!text_scan_number(&value, &bytes))
        return false;
    switch (*value) {
    case 'k':
    case 'K': shift = 10; break;
    case 'm':
    case 'M': shift = 20; break;
    case 'g':
    case 'G': shift = 30; break;
    case '\0': break;
    default: return false;
    }
    if (*value != '\0' && value[1] != '\0')
        return false;
    if (bytes > most >> shift)
        return false;
    *out = bytes << shift;
    return true;
}

static bool parse_memory(const char *value) {
    return parse_bytes(value, MEMORY_MAX, &options.memory_bytes) && options.memory_bytes >= MEMORY_MIN;
}

static bool parse_sample(const char *value) {
    return parse_bytes(value, SAMPLE_MAX, &options.sample_bytes);
}

static bool parse_verify(const char *value) {
    return text_number(value, &options.verify_every) && options.verify_every <= UINT32_MAX;
}

static bool parse_details(const char *value) {
    return parse_flag(value, &options.details);
}

static bool parse_temporary(const char *value) {
    return text_number(value, &options.temporary_below) && options.temporary_below >= 1 &&
           options.temporary_below <= UINT32_MAX;
}

static bool parse_path(const char *value, char *out) {
    struct text text = text_in(out, HT_PATH_BYTES);
    if (value[0] != '/') {
        text_add(&text, options.working_directory);
        text_add(&text, "/");
    }
    text_add(&text, value);
    return value[0] != '\0' && !text.cut && strchr(value, '\n') == NULL;
}

static bool parse_directory(const char *value) {
    options.directory_given = true;
    return parse_path(value, options.directory);
}

/* The working directory is no pattern: each of its % is doubled. */
static void add_working_directory(struct text *out) {
    for (const char *at = options.working_directory; *at != '\0'; at++)
        text_add_bytes(out, *at == '%' ? "%%" : at, *at == '%' ? 2 : 1);
    text_add(out, "/");
}

/* A pattern: every % is followed by a letter that we know. */
static bool parse_out(const char *value) {
    for (const char *at = value; (at = strchr(at, '%')) != NULL; at += 2)
        if (at[1] == '\0' || strchr("epnl%", at[1]) == NULL)
            return false;
    size_t length = strlen(value);
    struct text text = text_in(options.out, sizeof options.out);
    if (value[0] != '/')
        add_working_directory(&text);
    text_add(&text, value);
    return length != 0 && value[length - 1] != '/' && !text.cut && strchr(value, '\n') == NULL;
}

static bool parse_overwrite(const char *value) {
    return parse_flag(value, &options.overwrite);
}

static bool parse_follow(const char *value) {
    return parse_flag(value, &options.follow);
}

static bool parse_start(const char *value) {
    return parse_flag(value, &options.start);
}

static bool parse_mappings(const char *value) {
    return parse_flag(value, &options.mappings);
}

static bool parse_session(const char *value) {
    return text_number(value, &options.session);
}

static bool parse_unwinder(const char *value) {
    static const char *const names[] = {
#if defined(__x86_64__)
        [UNWINDER_DEFAULT] = "cfi",
#endif
        [UNWINDER_LIBUNWIND] = "libunwind",
        [UNWINDER_GCC] = "gcc",
        [UNWINDER_FRAME_POINTER] = "fp",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i] != NULL && text_equal(value, names[i])) {
            options.unwinder = (enum unwinder_choice)i;
            return true;
        }
    return false;
}

static const struct {
    const char *name;
    bool (*parse)(const char *value);
    const char *allowed;
} variables[] = {
    {"HEAPTALLY_DIR", parse_directory, "a directory for live images, of at most 1023 bytes, on one line"},
    {"HEAPTALLY_OUT", parse_out,
     "a file name for snapshots, of at most 1023 bytes, in which % stands only before e (program), p (pid), "
     "n (number), l (label) or %"},
    {"HEAPTALLY_NFRAME", parse_nframe, "a whole number from 1 to 65535"},
    {"HEAPTALLY_SIGNAL", parse_signal,
     "the name or number of a signal that a program can handle (SIGUSR2, USR2, 12), or 0 or none"},
    {"HEAPTALLY_OVERWRITE", parse_overwrite, "0 or 1"},
    {"HEAPTALLY_FOLLOW", parse_follow, "0 or 1"},
    {"HEAPTALLY_START", parse_start, "0 or 1"},
    {"HEAPTALLY_MMAP", parse_mappings, "0 or 1"},
    {"HEAPTALLY_MEMORY", parse_memory,
     "a number of bytes from 1M to 64G, with or without a suffix K, M or G"},
    {"HEAPTALLY_UNWINDER", parse_unwinder, "cfi (on x86-64), libunwind, fp or gcc"},
    {"HEAPTALLY_SAMPLE", parse_sample,
     "a number of bytes up to 64G, with or without a suffix K, M or G; 0 traces every block"},
    {"HEAPTALLY_DETAILS", parse_details, "0 or 1"},
    {"HEAPTALLY_TEMPORARY", parse_temporary, "a whole number from 1 to 4294967295"},
    {"HEAPTALLY_VERIFY_UNWIND", parse_verify, "a whole number up to 4294967295; 0: nothing is verified"},
    {"HEAPTALLY_SESSION", parse_session, "a whole number (heaptally run sets it)"},
};

static void set_defaults(void) {
    struct text directory = text_in(options.directory, sizeof options.directory);
    struct stat shared;
    bool has_shared_memory = sys_lstat("/dev/shm", &shared) == 0;
    text_add(&directory, has_shared_memory ? "/dev/shm/heaptally-" : "/tmp/heaptally-");
    text_add_number(&directory, sys_user());
    long got = sys_getcwd(options.working_directory, sizeof options.working_directory);
    if (got <= 0 || options.working_directory[0] != '/')
        text_in(options.working_directory, sizeof options.working_directory);
    options.directory_given = false;
    options.nframe = 128;
    options.signal = SIGUSR2;
    options.overwrite = false;
    options.follow = true;
    options.start = true;
    options.mappings = false;
    options.memory_bytes = (uint64_t)256 << 20;
    options.session = 0;
    options.sample_bytes = 0;
    options.verify_every = 0;
    options.details = false;
    options.temporary_below = 1;
    options.unwinder = UNWINDER_DEFAULT;
    parse_out(DEFAULT_OUT);
}

static void say_malformed(char *message, uint32_t bytes, const char *name, const char *value,
                          const char *allowed) {
    struct text text = text_in(message, bytes);
    text_add(&text, "heaptally: ");
    text_add(&text, name);
    text_add(&text, "=");
    text_add(&text, value);
    text_add(&text, ": it must be ");
    text_add(&text, allowed);
    text_add(&text, "; the program was not run\n");
}

/* The value if `entry` is "name=value", else null. */
static const char *value_of(const char *entry, const char *name) {
    size_t length = strlen(name);
    return strncmp(entry, name, length) == 0 && entry[length] == '=' ? entry + length + 1 : NULL;
}

bool options_read(char *const *environment, char *message, uint32_t message_bytes) {
    set_defaults();
    for (; environment != NULL && *environment != NULL; environment++)
        for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
            const char *value = value_of(*environment, variables[i].name);
            if (value != NULL && !variables[i].parse(value)) {
                say_malformed(message, message_bytes, variables[i].name, value, variables[i].allowed);
                return false;
            }
        }
    if (!options.details || options.sample_bytes == 0)
        return true;
    say_malformed(message, message_bytes, "HEAPTALLY_DETAILS", "1",
                  "0 where HEAPTALLY_SAMPLE is set, since details are of every block");
    return false;
}

static bool ends_with(const char *at, size_t length, const char *suffix) {
    size_t suffix_length = strlen(suffix);
    return length >= suffix_length && memcmp(at + length - suffix_length, suffix, suffix_length) == 0;
}

void options_unfollow(char *const *environment, const char *own_name) {
    for (; environment != NULL && *environment != NULL; environment++) {
        if (value_of(*environment, "LD_PRELOAD") == NULL)
            continue;
        char *out = *environment + sizeof "LD_PRELOAD=" - 1, *first = out;
        for (const char *at = out; *at != '\0';) {
            size_t length = strcspn(at, ": ");
            const char *next = at + length + (at[length] != '\0');
            if (length != 0 && !ends_with(at, length, own_name)) {
                if (out != first)
                    *out++ = ':';
                memmove(out, at, length);
                out += length;
            }
            at = next;
        }
        *out = '\0';
    }
}
