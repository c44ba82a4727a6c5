"""The kind of blocks: which of a language's functions allocated them, in whatever way a program was built."""

import os
import subprocess

from heaptally_test import TestCase, main

COMPILER = os.environ.get("CXX", "c++")

# Every block has a size of its own, which says what it is where there are no lines: SIZES below.
PROGRAM = r"""
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

extern "C" {
/* What rustc generates and what stands behind it, with the names that they have there. */
void *__rdl_alloc(size_t size, size_t alignment);
void *__rust_alloc(size_t size, size_t alignment);
__attribute__((noinline)) void *__rdl_alloc(size_t size, size_t) { return std::malloc(size); }
__attribute__((noinline)) void *__rust_alloc(size_t size, size_t alignment) { return __rdl_alloc(size, alignment); }
}

struct Aligned {
    alignas(64) char bytes[1024 + 64];
};

/* With an operator of its own, that calls malloc. */
struct Pooled {
    char bytes[1500];
    static void *operator new(size_t size) { return std::malloc(size); }
};

static void *kept[32];
static int count;
template <class T> static T *keep(T *block) {
    kept[count++] = (void *)block;
    return block;
}

int main() {
    keep(std::malloc(1001));
    keep(std::calloc(1, 1002));
    keep(std::realloc(nullptr, 1003));
    keep(std::aligned_alloc(64, 1024));
    keep(strdup(std::string(1004, 'x').c_str()));
    keep(new Pooled);
    keep(new char);
    keep(new (std::nothrow) char[2001]);
    keep(new char[2002]);
    keep(::operator new(2003));
    keep(::operator new(2004, std::nothrow));
    keep(new Aligned);
    keep(::operator new[](2112, std::align_val_t(64)));
    keep(new std::vector<char>(2005));
    keep(__rust_alloc(3001, 8));
    return 0;
}
"""

SIZES = {"malloc": {1001, 1002, 1003, 1024, 1005, 1500}, "new": {1, 2003, 2004, 1088, 2005, 24}, "new[]": {2001, 2002, 2112},
         "rust": {3001}}
ALL_SIZES = set().union(*SIZES.values())


class KindTest(TestCase):
    def build(self, *options):
        source, program = self.directory / "kinds.cc", self.directory / "kinds"
        source.write_text(PROGRAM)
        subprocess.run([COMPILER, "-g", "-std=c++17", "-fno-builtin", *options, "-o", program, source, *self.libraries],
                       check=True)
        return program

    libraries = ()

    def kinds(self, *options):
        """{kind: sizes of its blocks}, of the program's own blocks and not its runtime's."""
        program = self.build(*options)
        self.path = self.directory / "a.hts"
        self.heaptally("run", "--overwrite", "-o", self.path, "--", program)
        found = {}
        for row in self.top(self.path, "-k", "kind,traceback")["rows"]:
            if row["size"] in ALL_SIZES:
                self.assertEqual(row["count"], 1)
                found.setdefault(row["kind"], set()).add(row["size"])
        return found

    def check(self, *options):
        with self.subTest(options=options):
            self.assertEqual(self.kinds(*options), SIZES)

    def test_dynamic_runtime(self):
        for options in (("-O0",), ("-O2", "-fno-plt"), ("-O2", "-no-pie"), ("-O1", "-g0", "-fcf-protection=none")):
            self.check(*options)

    def test_stripped(self):
        """Calls of operators go through the linker's table, whose names strip leaves. Rust's functions lose theirs."""
        self.assertEqual(self.kinds("-O2", "-s"), {**{kind: SIZES[kind] for kind in ("malloc", "new", "new[]")},
                                                   "unknown": SIZES["rust"]})

    def test_static_runtime(self):
        self.check("-O2", "-static-libstdc++", "-static-libgcc")

    def test_stripped_static_runtime(self):
        """The limit that the manual names: operators without names are functions that call malloc."""
        found = self.kinds("-O2", "-static-libstdc++", "-static-libgcc", "-s")
        self.assertEqual(set().union(*found.values()), ALL_SIZES)
        self.assertLessEqual(found.keys(), {"malloc", "unknown"})
        self.assertLessEqual(SIZES["malloc"], found["malloc"])

    def test_allocators_with_operators_of_their_own(self):
        """No frame of an operator is in these stacks: the call alone says what it was."""
        for library, option in (("jemalloc", "-O2"), ("tcmalloc_minimal", "-fno-plt"), ("mimalloc", "-O1")):
            self.libraries = ("-Wl,--no-as-needed", f"-l{library}")
            self.check(option)

    def test_filter_and_combination(self):
        self.kinds("-O1")
        total = {row["kind"]: row["size"] for row in self.top(self.path, "-k", "kind")["rows"]}
        for kind, size in total.items():
            self.assertEqual(sum(row["size"] for row in self.top(self.path, "--kind", kind)["rows"]), size)
        both = self.top(self.path, "--kind", "new", "--kind", "rust", "-k", "function,kind")["rows"]
        self.assertEqual(sum(row["size"] for row in both), total["new"] + total["rust"])
        self.assertEqual({row["kind"] for row in both}, {"new", "rust"})
        text = self.heaptally("top", "-k", "kind", self.path).stdout
        self.assertRegex(text, r"(?m)^kind new\[\]: size=6115 B, count=3, average=2038 B$")
        self.assertIn("it must be malloc", self.heaptally("top", "--kind", "nonsense", self.path, check=2).stderr)

    def test_imported_traces_have_none(self):
        text = self.directory / "a.txt"
        text.write_text("0 10 1 a.py:1\n389047 20 1 a.py:1\n")
        self.heaptally("import", text, "-o", self.directory / "a.hts")
        rows = self.top(self.directory / "a.hts", "-k", "kind")["rows"]
        self.assertEqual({row["kind"]: row["size"] for row in rows}, {"unknown": 10, "other": 20})


main()
