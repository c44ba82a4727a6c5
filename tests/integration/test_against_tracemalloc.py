"""Random snapshots, as CPython's own tracemalloc and as heaptally see them: equal rows, byte by byte.

    test_against_tracemalloc.py [SEEDS [FIRST]]

For each seed two snapshots are made of random traces and given to both: tracemalloc as objects of its classes,
heaptally by `import`. Then every key, cumulative or not, statistics and differences, is asked of both, and random
filters of every form, and stacks as Traceback.format() prints them; and `dump` must print what was imported.

Names have no control characters here: `top` writes these as \\xNN, for the terminal's sake.
"""

import collections
import pathlib
import random
import subprocess
import sys
import tempfile
import tracemalloc

from heaptally_test import COMMAND

SEEDS = 100
KEYS = [("lineno", False), ("lineno", True), ("filename", False), ("filename", True), ("traceback", False)]
SIZES = [0, 1, 7, 8, 8, 512, 512, 10239, 10240, 102399, 102400, 1 << 20, 10 * (1 << 20) - 1, 3 << 30, 1 << 44]
NUMPY = 389047  # numpy's domain
LINES = [0, 1, 2, 3, 9, 10, 11, 99, 100, 4294967295]
FILES = ["/src/a.c", "/src/b.c", "/src/deep/a.c", "/Src/a.c", "/src/a.c2", "a.py", "a.pyc", "<unknown>", "[odd]", "",
         "a b:c;d\\e", "été.c", "日本.py", "x:7", "y@3", "%s"]
PATTERNS = [*FILES[:12], "*", "/src/*", "*/a.c", "*.py", "*.pyc", "?.py*", "[!/]*", "[a-z]*", "[z-a]", "\\*", "*[:]*",
            "*é*", "x[:]7", "y[@]3", "[[]odd]", "*[[:alpha:]]", "/SRC/*"]
SOURCE = "first line\n\n\t  third, indented  \nfourth\n" + "\n" * 4 + "ninth: été\n{\n    eleventh, without an end"

Query = collections.namedtuple("Query", "key cumulative all_frames filters limit recent")


class Heaps:
    """Random traces: few files and lines, so that much is equal or ties; stacks with recursion."""

    def __init__(self, numbers, source):
        self.numbers, self.files = numbers, numbers.sample(FILES, 6) + [source]
        self.stacks = [self.stack() for _ in range(12)]

    def stack(self):
        frame = lambda: (self.numbers.choice(self.files), self.numbers.choice(LINES))
        frames = [frame() for _ in range(self.numbers.randrange(1, 7))]
        if self.numbers.random() < 0.3:
            frames *= 2
        return tuple(frames), min(65535, len(frames) + self.numbers.choice([0, 0, 1, 70000]))

    def traces(self):
        """Tuples as tracemalloc has them: domain, size, frames with the newest first, how many there were."""
        return [(self.numbers.choice([0, 0, 0, 1, 3, NUMPY]), self.numbers.choice(SIZES), *self.numbers.choice(self.stacks))
                for _ in range(self.numbers.randrange(0, 60))]

    def filters(self):
        return [self.filter() for _ in range(self.numbers.randrange(1, 4))]

    def filter(self):
        inclusive, domain = self.numbers.random() < 0.5, self.numbers.choice([0, 1, 3, 4, NUMPY, 4294967295])
        if self.numbers.random() < 0.25:
            return inclusive, None, None, domain
        line = self.numbers.choice(LINES) if self.numbers.random() < 0.4 else None
        pattern = self.numbers.choice([*PATTERNS, self.files[-1]])
        return inclusive, pattern, line, domain if self.numbers.random() < 0.3 else None

    def query(self):
        key, cumulative = self.numbers.choice(KEYS)
        return Query(key, cumulative, self.numbers.random() < 0.5, self.filters(), None, False)

    def format_query(self):
        return Query("traceback", False, False, [], self.numbers.randrange(-7, 8), self.numbers.random() < 0.5)


# ---- tracemalloc's answers ----

def native_filter(query, inclusive, pattern, line, domain):
    if pattern is None:
        return tracemalloc.DomainFilter(inclusive, domain)
    return tracemalloc.Filter(inclusive, pattern, line, query.all_frames, domain)


def filtered(query, traces):
    snapshot = tracemalloc.Snapshot(tuple(traces), 10)
    return snapshot.filter_traces([native_filter(query, *words) for words in query.filters]) if query.filters else snapshot


def tracemallocs_rows(query, old, new):
    """The lines of one query; of a difference if `old` is given."""
    snapshot = filtered(query, new)
    rows = (snapshot.statistics(query.key, query.cumulative) if old is None
            else snapshot.compare_to(filtered(query, old), query.key, query.cumulative))
    lines = []
    for row in rows:
        lines.append(str(row))
        if query.limit is not None:
            lines += row.traceback.format(query.limit, query.recent)
    return lines


# ---- heaptally's ----

def words_of(query):
    words = ["--compat", "tracemalloc", "-n", "0", "-k", query.key]
    words += ["--cumulative"] * query.cumulative + ["--all-frames"] * query.all_frames
    words += ["--bare"] if query.limit is None else ["--limit", str(query.limit)]
    words += ["--most-recent-first"] * query.recent
    for inclusive, pattern, line, domain in query.filters:
        if pattern is None:
            words += ["--domain" if inclusive else "--exclude-domain", str(domain)]
        else:
            # a name that ends as a line or a domain does says so by a set
            pattern = {"x:7": "x[:]7", "y@3": "y[@]3"}.get(pattern, pattern)
            place = pattern + (f":{line}" if line is not None else "") + (f"@{domain}" if domain is not None else "")
            words += ["--include" if inclusive else "--exclude", place]
    return words


def run(*words):
    done = subprocess.run([COMMAND, *map(str, words)], capture_output=True)
    if done.returncode != 0:
        raise AssertionError(f"heaptally {words}: {done.stderr.decode()}")
    return done.stdout.decode().splitlines()


def heaptallys_rows(query, old, new):
    lines = run(*(["top"] if old is None else ["diff"]), *words_of(query), *([] if old is None else [old]), new)
    return lines if query.limit is None else lines[1:-1]  # without heading and total


# ---- traces as text ----

def escape(name):
    return "".join(f"\\x{ord(c):02x}" if c in ";:\\" or c <= " " else c for c in name)


def as_line(domain, size, frames, total):
    return f"{domain} {size} {total} " + ";".join(f"{escape(file)}:{line}" for file, line in frames)


# ---- comparing ----

class Comparison:
    def __init__(self, directory):
        self.directory, self.rows, self.differing, self.queries = directory, 0, 0, 0
        self.source = directory / "source.c"
        self.source.write_text(SOURCE)

    def save(self, name, traces):
        text, snapshot = self.directory / f"{name}.txt", self.directory / f"{name}.hts"
        text.write_text("".join(as_line(*trace) + "\n" for trace in traces))
        run("import", text, "-o", snapshot, "--overwrite")
        return snapshot

    def expect(self, what, expected, found):
        self.queries += 1
        self.rows += len(expected)
        wrong = [(i, pair) for i, pair in enumerate(zip(expected, found)) if pair[0] != pair[1]]
        self.differing += len(wrong) + abs(len(expected) - len(found))
        for i, (left, right) in wrong[:3]:
            print(f"{what}: row {i}:\n  tracemalloc {left}\n  heaptally   {right}")
        if len(expected) != len(found):
            print(f"{what}: {len(expected)} rows of tracemalloc, {len(found)} of heaptally")

    def compare(self, seed):
        numbers = random.Random(seed)
        heaps = Heaps(numbers, str(self.source))
        old, new = heaps.traces(), heaps.traces()
        new += numbers.sample(old, len(old) // 2)
        old_file, new_file = self.save("old", old), self.save("new", new)
        self.expect(f"seed {seed}: dump", sorted(as_line(*trace) for trace in new), sorted(run("dump", new_file)))
        queries = [Query(*key, False, [], None, False) for key in KEYS]
        queries += [heaps.query() for _ in range(4)] + [heaps.format_query()]
        for query in queries:
            self.expect(f"seed {seed}: top {query}", tracemallocs_rows(query, None, new),
                        heaptallys_rows(query, None, new_file))
            self.expect(f"seed {seed}: diff {query}", tracemallocs_rows(query, old, new),
                        heaptallys_rows(query, old_file, new_file))


def main(seeds=SEEDS, first=0):
    with tempfile.TemporaryDirectory(prefix="heaptally-test-") as directory:
        comparison = Comparison(pathlib.Path(directory))
        for seed in range(int(first), int(first) + int(seeds)):
            comparison.compare(seed)
    print(f"{seeds} seeds, {comparison.queries} queries, {comparison.rows} rows, {comparison.differing} differ")
    sys.exit(comparison.differing != 0 or comparison.rows == 0)


main(*sys.argv[1:])
