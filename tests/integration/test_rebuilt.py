"""diff and growth across rebuilds, machines and address spaces: rows are what they were, wherever code lies now."""

import json
import os
import shutil
import subprocess

from heaptally_test import TestCase, main

COMPILER = os.environ.get("CC", "cc")

LIBRARY = """
#include <stdlib.h>
void *shared_block(void);
void *shared_block(void) { return malloc(300); }
"""

# STEADY moves by as many lines as stand above it; CHANGED has another body. All is kept, so it is live at exit.
PROGRAM = """#include <stdlib.h>
%(above)s
static void *kept[64];
static int count;
static void keep(void *block) { kept[count++] = block; }
void *shared_block(void);

static __attribute__((always_inline)) inline void inlined(void) {
    keep(malloc(20));
}

__attribute__((noinline)) void steady(void) {
    keep(malloc(1000));
    inlined();
}

%(below)s
int main(void) {
    steady();
    steady();
    changed();
    keep(shared_block());
    return 0;
}
"""

CHANGED = """
__attribute__((noinline)) void changed(void) {
    keep(malloc(2000));
%s}
"""

GONE = """
__attribute__((noinline)) void %s(void) {
    keep(malloc(%d));
}
"""

OLD = PROGRAM % {"above": "", "below": CHANGED % ""}
NEW = PROGRAM % {"above": "/*\n\n\n\n*/", "below": CHANGED % "    keep(malloc(50));\n"}
LINES_OLD = {"steady": 13, "inlined": 9, "changed": 19}


class RebuiltTest(TestCase):
    def build(self, where, text, *options, name="program"):
        """Compiles into directory `where`; the source is always /.../src/program.c, as in a tree that is edited."""
        sources, target = self.directory / "src", self.directory / where
        sources.mkdir(exist_ok=True)
        target.mkdir(exist_ok=True)
        source, library = sources / f"{name}.c", sources / "shared.c"
        source.write_text(text)
        library.write_text(LIBRARY)
        base = [COMPILER, "-g", "-O1", "-fno-builtin", "-fno-optimize-sibling-calls"]
        subprocess.run([*base, "-shared", "-fPIC", "-Wl,-soname,libshared.so", "-o", target / "libshared.so", library], check=True)
        subprocess.run([*base, *options, "-o", target / name, source, target / "libshared.so", "-Wl,-rpath,$ORIGIN"],
                       check=True)
        return target / name

    def trace(self, program, path):
        self.heaptally("run", "--overwrite", "-o", self.directory / path, "--", program)
        return self.directory / path

    def diff(self, old, new, *words):
        return json.loads(self.heaptally("diff", "--json", "-n", "0", *words, old, new).stdout)

    def rows(self, report):
        """Rows of the program as {function or place: (size, difference)}, and none may be there twice."""
        rows = {}
        for row in report["rows"]:
            if "libc.so" in row["module"] or "ld-linux" in row["module"]:
                continue
            name = row["function"] or (os.path.basename(row["module"]), row["build_id"], row["offset"])
            self.assertNotIn(name, rows)
            rows[name] = (row["size"], row["size_diff"])
        return rows

    def pair(self, old_options=(), new_options=(), old=OLD, new=NEW):
        a = self.trace(self.build("v1", old, *old_options), "a.hts")
        b = self.trace(self.build("v2", new, *new_options), "b.hts")
        return a, b

    def rebuilt(self, report):
        return {os.path.basename(entry["module"]): entry for entry in report["rebuilt"]}

    UNCHANGED = {"steady": (2000, 0), "inlined": (40, 0), "shared_block": (300, 0)}

    def test_address_spaces_do_not_matter(self):
        """Two runs of one build under ASLR, with lines, with functions alone, with neither."""
        for name, options in (("g", ()), ("functions", ("-g0",)), ("stripped", ("-g0", "-s"))):
            program = self.build(name, OLD, *options)
            a, b = (self.trace(program, f"{name}.{run}.hts") for run in "ab")
            for key in ("lineno", "filename", "function", "module", "traceback"):
                with self.subTest(options=options, key=key):
                    report = self.diff(a, b, "-k", key)
                    self.assertEqual(report["rebuilt"], [])
                    self.assertGreater(len(report["rows"]), 0)
                    self.assertEqual({row["size_diff"] for row in report["rows"]}, {0})
                    self.assertEqual({row["count_diff"] for row in report["rows"]}, {0})

    def test_functions_that_have_moved_compare(self):
        a, b = self.pair()
        expected = {**self.UNCHANGED, "changed": (2050, 50)}
        report = self.diff(a, b, "-k", "function")
        self.assertEqual(self.rows(report), expected)
        report = self.diff(a, b)
        lines = {(row["function"], row["line"]): (row["size"], row["size_diff"]) for row in report["rows"]
                 if row["function"] in ("steady", "inlined", "changed")}
        self.assertEqual(lines, {("steady", LINES_OLD["steady"] + 4): (2000, 0),
                                 ("inlined", LINES_OLD["inlined"] + 4): (40, 0),
                                 ("changed", LINES_OLD["changed"] + 4): (2000, 0),
                                 ("changed", LINES_OLD["changed"] + 5): (50, 50)})
        self.assertEqual(self.rebuilt(report).keys(), {"program"})
        entry = self.rebuilt(report)["program"]
        self.assertEqual(entry["compared_by"], "function and line")
        self.assertEqual(entry["module"], str(self.directory / "v2" / "program"))
        self.assertEqual(entry["old_module"], str(self.directory / "v1" / "program"))
        self.assertNotEqual(entry["build_id"], entry["old_build_id"])
        self.assertIsNone(entry["reason"])
        stacks = {tuple(frame["function"] for frame in row["traceback"][:2]): row["size_diff"]
                  for row in self.diff(a, b, "-k", "traceback")["rows"]}
        self.assertEqual(stacks[("inlined", "steady")], 0)

    def test_the_warning_is_there_once(self):
        a, b = self.pair()
        for command in (("diff",), ("growth",), ("growth", "-k", "traceback")):
            done = self.heaptally(*command, a, b)
            warnings = [line for line in done.stderr.splitlines() if "rebuilt" in line]
            self.assertEqual(len(warnings), 1, done.stderr)
            self.assertIn(f"{self.directory}/v2/program, then {self.directory}/v1/program, was rebuilt", warnings[0])
            self.assertIn("compared by function and line", warnings[0])
        self.assertEqual(self.heaptally("diff", a, a).stderr, "")

    def test_functions_that_are_gone_are_no_others(self):
        """`first` and `second` stand on the same lines of the same file, and are two functions all the same."""
        old, new = (PROGRAM % {"above": "", "below": GONE % names} for names in (("first", 700), ("second", 900)))
        a, b = self.pair(old=old.replace("changed()", "first()"), new=new.replace("changed()", "second()"))
        for key in ("lineno", "function"):
            with self.subTest(key=key):
                self.assertEqual(self.rows(self.diff(a, b, "-k", key)),
                                 {**self.UNCHANGED, "first": (0, -700), "second": (900, 900)})

    def test_without_lines_by_function(self):
        """Both without, and one without."""
        for options in ((("-g0",), ("-g0",)), (("-g0",), ()), ((), ("-g0",))):
            with self.subTest(options=options):
                report = self.diff(*self.pair(*options))
                expected = {"steady": (2040, 0), "shared_block": (300, 0), "changed": (2050, 50)}
                self.assertEqual(self.rows(report), expected)
                entry = self.rebuilt(report)["program"]
                self.assertEqual(entry["compared_by"], "function")
                self.assertIn("no debug info", entry["reason"])

    def test_stripped_builds_stand_for_themselves(self):
        a, b = self.pair(("-g0", "-s"), ("-g0", "-s"))
        report = self.diff(a, b)
        rows = {row: value for row, value in self.rows(report).items() if row != "shared_block"}
        entry = self.rebuilt(report)["program"]
        self.assertIsNone(entry["compared_by"])
        self.assertIn("no symbol table", entry["reason"])
        self.assertEqual({row[1] for row in rows}, {entry["build_id"], entry["old_build_id"]})
        for (_, build, _), (size, difference) in rows.items():
            self.assertEqual((size, difference > 0), (difference, True) if build == entry["build_id"] else (0, False))
        self.assertEqual(sum(difference for _, difference in rows.values()), 50)
        text = self.heaptally("diff", "-n", "0", a, b)
        self.assertIn("stand for themselves", text.stderr)
        for build in (entry["build_id"], entry["old_build_id"]):
            self.assertRegex(text.stdout, rf"(?m)^program\+0x[0-9a-f]+ of build {build[:8]}: size=")
        by_module = {os.path.basename(row["module"]): row["size_diff"] for row in
                     self.diff(a, b, "-k", "module")["rows"]}
        self.assertEqual(by_module["program"], 50)

    def test_binaries_that_are_gone(self):
        """The usual rebuild: the new program is where the old one was, and that one is no more."""
        a = self.trace(self.build("v1", OLD), "a.hts")
        b = self.trace(self.build("v1", NEW), "b.hts")
        report = self.diff(a, b, "-k", "function")
        entry = self.rebuilt(report)["program"]
        self.assertIsNone(entry["compared_by"])
        self.assertIn(entry["old_build_id"], entry["reason"])
        rows = self.rows(report)
        self.assertEqual({name: value for name, value in rows.items() if isinstance(name, str)},
                         {"steady": (2000, 2000), "inlined": (40, 40), "changed": (2050, 2050), "shared_block": (300, 0)})
        old = {name: value for name, value in rows.items() if not isinstance(name, str)}
        self.assertEqual({name[1] for name in old}, {entry["old_build_id"]})
        self.assertEqual(sorted(old.values()), [(0, -2000), (0, -2000), (0, -40)])

    def test_one_build_in_two_places(self):
        """Another machine has the same build elsewhere; of files that are gone the offsets still are the same."""
        program = self.build("v1", OLD)
        shutil.copytree(self.directory / "v1", self.directory / "elsewhere")
        a, b = self.trace(program, "a.hts"), self.trace(self.directory / "elsewhere" / "program", "b.hts")
        for gone in (False, True):
            if gone:
                shutil.rmtree(self.directory / "v1")
                shutil.rmtree(self.directory / "elsewhere")
            for key in ("lineno", "function", "module", "traceback"):
                with self.subTest(gone=gone, key=key):
                    report = self.diff(a, b, "-k", key)
                    self.assertEqual(report["rebuilt"], [])
                    self.assertEqual({row["size_diff"] for row in report["rows"]}, {0})
                    self.assertEqual([row for row in report["rows"] if "/v1/" in row["module"]], [])

    def test_without_a_build_id(self):
        program = self.build("v1", OLD, "-Wl,--build-id=none")
        a, b = (self.trace(program, f"{run}.hts") for run in "ab")
        report = self.diff(a, b)
        self.assertEqual({row["size_diff"] for row in report["rows"]}, {0})
        entry = self.rebuilt(report)["program"]
        self.assertEqual((entry["compared_by"], entry["build_id"]), ("offset", None))
        self.assertIn("has no build-id", self.heaptally("diff", a, b).stderr)
        self.assertEqual(self.diff(a, a)["rebuilt"], [])

    def test_growth_of_many_builds(self):
        """Of three builds the last one's lines are named, and what did not grow is silent."""
        a, b = self.pair()
        third = PROGRAM % {"above": "/*\n*/", "below": CHANGED % "    keep(malloc(70));\n"}
        c = self.trace(self.build("v3", third), "c.hts")
        done = self.heaptally("growth", "--bare", "-n", "0", a, b, c)
        self.assertEqual(done.stdout.splitlines(),
                         [f"{self.directory}/src/program.c:{LINES_OLD['changed'] + 2}: "
                          "size=70 B (+20 B), count=1 (+0), average=70 B"])
        self.assertEqual(done.stderr.count("was rebuilt"), 2)


main()
