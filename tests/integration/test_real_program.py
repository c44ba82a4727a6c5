"""test_real_program.py NAME: a program that everyone has, traced: same output, same status, and the totals that
valgrind ("total heap usage") and a counting preload library of ours find.

Equal to the last block and byte, provided that the runs are the same run. What it takes:
  - one address layout: setarch -R, where the machine allows it;
  - one environment, to the byte: programs copy it. Valgrind's start script adds GLIBCPP_FORCE_NEW, GLIBCXX_FORCE_NEW and
    PWD, puts /usr/lib/debug in front of LD_LIBRARY_PATH, and its launcher puts two libraries in front of LD_PRELOAD; the
    traced run gets the same variables, and its LD_PRELOAD is padded with slashes to the same length (git: 72 bytes
    in 2,340,831 without; perl: 15 blocks);
  - no seed by chance: PYTHONHASHSEED, PERL_HASH_SEED, PERL_PERTURB_KEYS, and a time() that stands still: libxml2
    seeds its dictionaries with it (a collision is a block of 48 bytes);
  - valgrind's own frees at exit off: --run-libc-freeres=no --run-cxx-freeres=no.
Valgrind counts a realloc as a free and an allocation, as we do.

One difference remains, in cc1plus: its garbage collector keeps a table of 32,768 bytes (one xcalloc) for each
part of the address space that its pages lie in, so their number depends on where mmap puts them. Under valgrind
it is one more in 93,107 allocations, all else equal. There the difference must be whole tables, and at most 4."""

import os
import re
import subprocess
import sys

from heaptally_test import LIBRARY, PROGRAMS, TestCase, main

NAME = sys.argv.pop(1)

VALGRIND_PRELOAD = ":".join(f"/usr/libexec/valgrind/vgpreload_{part}-amd64-linux.so" for part in ("core", "memcheck"))
COUNTER = str(PROGRAMS / "libcount_preload.so")
FIXED_TIME = str(PROGRAMS / "libfixed_time.so")
LENGTH = max(map(len, (LIBRARY, COUNTER, VALGRIND_PRELOAD)))

SQL = """create table t as with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000)
         select i, hex(i) as x from n; create index u on t(x); select count(*), sum(length(x)) from t;"""
PYTHON = "import json; print(len(json.dumps([{'a': i, 'b': [str(i)]} for i in range(3000)])))"
PERL = 'my %h; $h{$_ % 777} .= "x$_" for 1 .. 20000; print scalar(keys %h), "\\n"'
XML = "<list>" + "".join(f"<item number='{i}'>text {i}</item>" for i in range(2000)) + "</list>"
CXX = "#include <map>\n#include <string>\nint f(std::map<std::string, int> &m) { return m[\"x\"]++; }\n"


def cc1plus():
    return subprocess.run(["g++", "-print-prog-name=cc1plus"], check=True, capture_output=True,
                          text=True).stdout.strip()


COMMANDS = {
    "python3": lambda d: ["/usr/bin/python3", "-I", "-S", "-c", PYTHON],
    "sqlite3": lambda d: ["sqlite3", ":memory:", SQL],
    "perl": lambda d: ["perl", "-e", PERL],
    "xmllint": lambda d: ["xmllint", "--xpath", "count(//item)", d / "list.xml"],
    "jq": lambda d: ["jq", "-n", "[range(1000) | {x: .}] | map(.x) | add"],
    "git": lambda d: ["git", "-C", d / "repository", "log", "--stat", "--format=%s"],
    "cc1plus": lambda d: [cc1plus(), "-quiet", "-imultiarch", "x86_64-linux-gnu", "-D_GNU_SOURCE", d / "a.cc",
                          "-o", "-"],
}
GC_TABLE_BYTES = 32768


def make_repository(path):
    git = ["git", "-C", path, "-c", "user.name=Test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", "init", "-q", path], check=True)
    for number in range(5):
        (path / "file").write_text("line\n" * (10 + number))
        subprocess.run([*git, "add", "file"], check=True)
        subprocess.run([*git, "commit", "-q", "-m", f"Change {number}"], check=True)


def padded(path):
    """The same file, by a name of LENGTH bytes."""
    return "/" * (LENGTH - len(path)) + path


class RealProgramTest(TestCase):
    def setUp(self):
        super().setUp()
        (self.directory / "list.xml").write_text(XML)
        (self.directory / "a.cc").write_text(CXX)
        if NAME == "git":
            make_repository(self.directory / "repository")
        self.command = COMMANDS[NAME](self.directory)
        fixed = subprocess.run(["setarch", "-R", "true"], capture_output=True)
        self.prefix = ["setarch", "-R"] if fixed.returncode == 0 else []

    def run_with(self, preload, *prefix, **variables):
        environment = {
            "PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": str(self.directory), "PWD": os.getcwd(),
            "PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0", "PERL_HASH_SEED": "0", "PERL_PERTURB_KEYS": "0",
            "GLIBCPP_FORCE_NEW": "1", "GLIBCXX_FORCE_NEW": "1",
            "HEAPTALLY_DIR": str(self.images), "HEAPTALLY_OUT": str(self.directory / "%p.hts"),
            "COUNT_OUT": str(self.directory / "count"), "LD_PRELOAD": preload, **variables}
        command = [*self.prefix, *prefix, *map(str, self.command)]
        return subprocess.run(command, env=environment, capture_output=True, timeout=300, stdin=subprocess.DEVNULL)

    def run_on_its_own(self, preload):
        """setarch becomes the program, so it has its pid; what setarch itself allocates was before the exec."""
        return self.run_with(preload, LD_LIBRARY_PATH="/usr/lib/debug")

    def traced(self):
        done = self.run_on_its_own(f"{padded(LIBRARY)}:{FIXED_TIME}")
        reports = [self.top(path)["totals"] for path in self.snapshots()]
        totals = max(reports, key=lambda t: t["allocations"])
        return done, (totals["allocations"], totals["frees"], totals["allocated_bytes"])

    def counted(self):
        self.run_on_its_own(f"{padded(COUNTER)}:{FIXED_TIME}")
        counts = [tuple(map(int, path.read_text().split())) for path in self.directory.glob("count.*")]
        allocations, size_bytes, frees = max(counts)
        return allocations, frees, size_bytes

    def by_valgrind(self):
        done = self.run_with("/" * (LENGTH - len(VALGRIND_PRELOAD)) + FIXED_TIME, "valgrind", "--leak-check=no",
                             "--undef-value-errors=no", "--run-libc-freeres=no", "--run-cxx-freeres=no")
        usage = re.search(r"total heap usage: ([\d,]+) allocs, ([\d,]+) frees, ([\d,]+) bytes", done.stderr.decode())
        self.assertTrue(usage, done.stderr.decode()[-2000:])
        return tuple(int(number.replace(",", "")) for number in usage.groups())

    def assert_equal_totals(self, ours, theirs):
        if NAME == "cc1plus":
            tables = ours[0] - theirs[0]
            self.assertLessEqual(abs(tables), 4)
            theirs = (theirs[0] + tables, theirs[1], theirs[2] + tables * GC_TABLE_BYTES)
        self.assertEqual(ours, theirs, "allocations, frees, bytes")

    def test_output_status_and_totals(self):
        plain = self.run_on_its_own(FIXED_TIME)
        self.assertEqual(plain.returncode, 0, plain.stderr)
        self.assertNotEqual(plain.stdout, b"")
        done, ours = self.traced()
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, plain.stdout, plain.stderr))
        print(f"{NAME}: {ours[0]:,} allocations, {ours[1]:,} frees, {ours[2]:,} bytes")
        with self.subTest(witness="counting preload"):
            self.assert_equal_totals(ours, self.counted())
        with self.subTest(witness="valgrind"):
            self.assert_equal_totals(ours, self.by_valgrind())


main()
