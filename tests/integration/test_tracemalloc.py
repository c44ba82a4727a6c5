"""Behaviour by behaviour, what CPython's test_tracemalloc asserts of statistics, filters and formats.

tests/tracemalloc.md says which of its tests each of these stands for; test_against_tracemalloc.py compares random
snapshots besides. Here heaps are small and what is expected is written out.
"""

import pathlib
import re

from heaptally_test import PROGRAMS, TestCase, main

TESTS = pathlib.Path(__file__).resolve().parent.parent

OLD = """\
0 8 3 tree.c:21;main.c:70
0 8 3 tree.c:21;main.c:70
0 8 3 tree.c:21;main.c:70
0 8 3 tree.c:21;main.c:70
1 3 3 tree.c:40;main.c:70
2 90 1 main.c:12
3 5 1 <unknown>:0
"""
NEW = """\
0 8 3 tree.c:21;main.c:70
0 8 3 tree.c:21;main.c:70
0 8 3 tree.c:21;main.c:70
0 8 3 tree.c:21;main.c:70
1 3 3 tree.c:40;main.c:70
1 6000 3 tree.c:40;main.c:70
0 512 1 list.c:333
"""


class Heaps(TestCase):
    def setUp(self):
        super().setUp()
        self.old, self.new = self.save("old", OLD), self.save("new", NEW)

    def save(self, name, traces):
        text, snapshot = self.directory / f"{name}.txt", self.directory / f"{name}.hts"
        text.write_text(traces)
        self.heaptally("import", text, "-o", snapshot, "--overwrite")
        return snapshot

    def rows(self, command, *words):
        return self.heaptally(command, "--bare", "-n", "0", *words).stdout.splitlines()

    def expect(self, words, *rows):
        """The rows of a query, each `PLACE SIZE COUNT` with the differences behind their values."""
        found = [self.short(row) for row in self.rows(*words)]
        self.assertEqual(found, list(rows), words)

    @staticmethod
    def short(row):
        place, size, count = re.match(r"(.*): size=(.*?), count=(.*?)(?:, average=.*)?$", row).groups()
        return f"{place} {size} {count}".replace(" B", "").replace("(", "").replace(")", "")


class StatisticsTest(Heaps):
    def test_group_by_line(self):
        self.expect(("top", self.old), "main.c:12 90 1", "tree.c:21 32 4", "<unknown>:0 5 1", "tree.c:40 3 1")
        self.expect(("top", self.new), "tree.c:40 6003 2", "list.c:333 512 1", "tree.c:21 32 4")

    def test_group_by_file(self):
        self.expect(("top", "-k", "filename", self.old), "main.c:0 90 1", "tree.c:0 35 5", "<unknown>:0 5 1")
        self.expect(("top", "-k", "filename", self.new), "tree.c:0 6035 6", "list.c:0 512 1")

    def test_group_by_traceback(self):
        self.expect(("top", "-k", "traceback", self.old), "main.c:12 90 1", "tree.c:21 32 4", "<unknown>:0 5 1",
                    "tree.c:40 3 1")
        self.expect(("top", "-k", "traceback", "--compat", "tracemalloc", self.old), "main.c:12 90 1",
                    "main.c:70 32 4", "<unknown>:0 5 1", "main.c:70 3 1")

    def test_one_line_has_many_tracebacks(self):
        path = self.save("two", "0 1 2 a.c:1;b.c:1\n0 2 2 a.c:1;c.c:1\n0 4 3 a.c:1;b.c:1\n")
        self.expect(("top", path), "a.c:1 7 3")
        rows = self.top(path, "-k", "traceback")["rows"]
        self.assertEqual([[frame["file"] for frame in row["traceback"]] for row in rows],
                         [["a.c", "b.c"], ["a.c", "c.c"]])

    def test_cumulative(self):
        self.expect(("top", "--cumulative", "-k", "filename", self.old), "main.c:0 125 6", "tree.c:0 35 5",
                    "<unknown>:0 5 1")
        self.expect(("top", "--cumulative", self.old), "main.c:12 90 1", "main.c:70 35 5", "tree.c:21 32 4",
                    "<unknown>:0 5 1", "tree.c:40 3 1")

    def test_cumulative_recursion(self):
        path = self.save("deep", "0 10 4 a.c:1;a.c:2;a.c:1;b.c:9\n")
        self.expect(("top", "--cumulative", path), "b.c:9 10 1", "a.c:2 10 1", "a.c:1 10 1")
        self.expect(("top", "--cumulative", "--compat", "tracemalloc", path), "a.c:1 20 2", "b.c:9 10 1",
                    "a.c:2 10 1")

    def test_cumulative_tracebacks_are_refused(self):
        for key in ("traceback", "domain,traceback"):
            self.assertIn("--cumulative", self.heaptally("top", "-k", key, "--cumulative", self.old, check=2).stderr)
        self.assertIn("nonsense", self.heaptally("top", "-k", "nonsense", self.old, check=2).stderr)

    def test_compare_lines(self):
        self.expect(("diff", self.old, self.new), "tree.c:40 6003 +6000 2 +1", "list.c:333 512 +512 1 +1",
                    "main.c:12 0 -90 0 -1", "<unknown>:0 0 -5 0 -1", "tree.c:21 32 +0 4 +0")

    def test_compare_files(self):
        self.expect(("diff", "-k", "filename", self.old, self.new), "tree.c:0 6035 +6000 6 +1",
                    "list.c:0 512 +512 1 +1", "main.c:0 0 -90 0 -1", "<unknown>:0 0 -5 0 -1")

    def test_compare_tracebacks(self):
        self.expect(("diff", "-k", "traceback", self.old, self.new), "tree.c:40 6003 +6000 2 +1",
                    "list.c:333 512 +512 1 +1", "main.c:12 0 -90 0 -1", "<unknown>:0 0 -5 0 -1",
                    "tree.c:21 32 +0 4 +0")

    def test_ties(self):
        path = self.save("ties", "0 8 1 a.c:9\n0 8 1 a.c:10\n0 8 1 b.c:1\n0 8 1 B.c:1\n0 4 1 c.c:1\n0 4 1 c.c:1\n")
        self.expect(("top", path), "c.c:1 8 2", "b.c:1 8 1", "a.c:10 8 1", "a.c:9 8 1", "B.c:1 8 1")

    def test_native_keys_of_imported_traces(self):
        self.expect(("top", "-k", "domain", self.new), "domain 1 6003 2", "domain 0 544 5")
        self.expect(("top", "-k", "domain,filename", self.old), "domain 2, main.c:0 90 1", "domain 0, tree.c:0 32 4",
                    "domain 3, <unknown>:0 5 1", "domain 1, tree.c:0 3 1")
        self.expect(("top", "-k", "size", self.old), "average 64 to 127 90 1", "average 8 to 15 32 4",
                    "average 4 to 7 5 1", "average 2 to 3 3 1")


class FilterTest(Heaps):
    def test_include_and_exclude(self):
        self.expect(("top", "--exclude", "main.c", self.old), "tree.c:21 32 4", "<unknown>:0 5 1", "tree.c:40 3 1")
        self.expect(("top", "--exclude", "main.c", "--include", "tree.c:21", "--include", "tree.c:40", self.old),
                    "tree.c:21 32 4", "tree.c:40 3 1")
        self.expect(("top", "--include", "tree.c", "--exclude", "*.c:40", self.old), "tree.c:21 32 4")
        self.expect(("top", "--exclude", "tree.c", "--exclude", "main.c", self.old), "<unknown>:0 5 1")

    def test_domains_of_32_bits(self):
        """numpy's, and those around what 16 and 32 bits hold."""
        lines = [f"{domain} {size} 1 a.py:1" for size, domain in
                 enumerate((65535, 65536, 389047, 4294967295), 1)]
        text, path = self.directory / "numpy.txt", self.directory / "numpy.hts"
        text.write_text("".join(line + "\n" for line in lines))
        self.heaptally("import", text, "-o", path)
        self.assertEqual(sorted(self.heaptally("dump", path).stdout.splitlines()), sorted(lines))
        self.expect(("top", "-k", "domain", path), "domain 4294967295 4 1", "domain 389047 3 1", "domain 65536 2 1",
                    "domain 65535 1 1")
        self.expect(("top", "--domain", "389047", path), "a.py:1 3 1")
        self.expect(("top", "--include", "a.py@65536", path), "a.py:1 2 1")
        self.expect(("top", "--exclude-domain", "65535", "--exclude-domain", "4294967295", path), "a.py:1 5 2")
        text.write_text("4294967296 1 1 a.py:1\n")
        self.assertIn("DOMAIN", self.heaptally("import", text, "-o", self.directory / "no.hts", check=2).stderr)

    def test_place_and_domain(self):
        self.expect(("top", "--exclude", "tree.c@1", self.old), "main.c:12 90 1", "tree.c:21 32 4", "<unknown>:0 5 1")
        self.expect(("top", "--include", "tree.c@1", self.old), "tree.c:40 3 1")
        self.expect(("top", "--include", "tree.c:21@1", self.old))

    def test_domain(self):
        self.expect(("top", "--exclude-domain", 3, self.old), "main.c:12 90 1", "tree.c:21 32 4", "tree.c:40 3 1")
        self.expect(("top", "--domain", 3, self.old), "<unknown>:0 5 1")
        self.expect(("top", "--domain", 3, "--include", "tree.c:40", self.old), "<unknown>:0 5 1", "tree.c:40 3 1")

    def test_line_number(self):
        path = self.save("lines", "".join(f"0 1 1 abc:{line}\n0 1 1 other:{line}\n" for line in (0, 5, 10)))
        every = [f"{file}:{line} 1 1" for file in ("other", "abc") for line in (10, 5, 0)]
        for pattern, matching in (("abc", every[3:]), ("abc:5", ["abc:5 1 1"]), ("abc:0", ["abc:0 1 1"])):
            self.expect(("top", "--include", pattern, path), *matching)
            self.expect(("top", "--exclude", pattern, path), *(row for row in every if row not in matching))

    def test_all_frames(self):
        path = self.save("frames", "0 1 2 a:2;b:3\n0 2 2 b:4;b:5\n0 4 2 c:5;<unknown>:0\n0 8 1 <unknown>:0\n")
        rows = {1: "a:2 1 1", 2: "b:4 2 1", 4: "c:5 4 1", 8: "<unknown>:0 8 1"}
        for pattern, all_frames, matching in (("b", True, 1 + 2), ("b", False, 2), ("<unknown>", True, 4 + 8),
                                              ("<unknown>", False, 8)):
            words = ("--all-frames",) if all_frames else ()
            for option, taken in (("--include", matching), ("--exclude", 15 - matching)):
                self.expect(("top", *words, option, pattern, path), *(rows[i] for i in (8, 4, 2, 1) if taken & i))

    def test_compiled_names(self):
        """Only under --compat: .pyc is .py, in names and in patterns."""
        path = self.save("compiled", "0 1 1 a.pyc:1\n0 2 1 a.py:1\n0 4 1 a.pyo:1\n")
        self.expect(("top", "--compat", "tracemalloc", "--include", "a.py", path), "a.py:1 2 1", "a.pyc:1 1 1")
        self.expect(("top", "--compat", "tracemalloc", "--include", "a.pyc", path), "a.py:1 2 1", "a.pyc:1 1 1")
        self.expect(("top", "--include", "a.py", path), "a.py:1 2 1")


class SuppressionTest(Heaps):
    def test_reports_say_how_much(self):
        path = self.directory / "known.supp"
        path.write_text("# known\n\nleak:^tree.c$\n")
        self.expect(("top", "--suppressions", path, self.old), "main.c:12 90 1", "<unknown>:0 5 1")
        text = self.heaptally("top", "--suppressions", path, self.new).stdout
        self.assertIn("Total allocated size: 0.5 KiB\nSuppressed: 5.9 KiB in 6 blocks\n", text)
        text = self.heaptally("diff", "--suppressions", path, self.old, self.new).stdout
        self.assertIn("Suppressed: 5.9 KiB (+5.9 KiB) in 6 blocks\n", text)
        by = [{"suppression": "leak:^tree.c$", "origin": str(path), "size": 6035, "count": 6}]
        self.assertEqual(self.top(self.new, "--suppressions", path)["suppressed"],
                         {"size": 6035, "count": 6, "by": by})
        self.assertNotIn("Suppressed", self.heaptally("top", self.new).stdout)

    def test_what_is_none(self):
        path = self.directory / "bad.supp"
        path.write_text("leak:x\nrace:y\n")
        self.assertIn("bad.supp: line 2: ", self.heaptally("top", "--suppressions", path, self.old, check=2).stderr)


class BlameTest(Heaps):
    """Patterns of the user's and of a project's, on frames that have files alone."""

    def setUp(self):
        super().setUp()
        self.project, self.config = self.directory / "project" / "deep", self.directory / "config"
        self.project.mkdir(parents=True)
        (self.config / "heaptally").mkdir(parents=True)

    def named(self, *words):
        environment = self.environment(XDG_CONFIG_HOME=self.config)
        return self.heaptally(*words, environment=environment, cwd=self.project).stdout

    def first_row(self, *words):
        return self.named("top", "--bare", *words, self.new).split(": size")[0]

    def test_patterns_of_files(self):
        self.assertEqual(self.first_row(), "tree.c:40")
        (self.project.parent / ".heaptally-blame").write_text("# ours\ntree.*  \n\n")
        self.assertEqual(self.first_row(), "main.c:70")
        self.assertEqual(self.first_row("--raw"), "tree.c:40")
        (self.config / "heaptally" / "blame").write_text("!tree.c\nlist.c\n")
        self.assertEqual(self.first_row(), "tree.c:40")
        (self.project / ".heaptally-blame").write_text("")  # the nearest is the project's
        self.assertEqual(self.first_row("--skip", "main.c"), "tree.c:40")

    def test_list(self):
        (self.project / ".heaptally-blame").write_text("pool_*\n!std::regex*\n")
        lines = self.named("blame", "--list").splitlines()
        self.assertIn("operator new", lines)
        self.assertEqual(lines[-3:], [f"# {self.project.resolve()}/.heaptally-blame", "pool_*", "!std::regex*"])
        self.assertIn("--list", self.heaptally("blame", check=2).stderr)

    def test_what_is_no_file(self):
        (self.project / ".heaptally-blame").mkdir()
        refusal = self.heaptally("top", self.new, cwd=self.project, check=2).stderr
        self.assertIn(".heaptally-blame: not a regular file", refusal)


class FormatTest(Heaps):
    def test_statistic(self):
        self.assertEqual(self.rows("top", self.old)[0], "main.c:12: size=90 B, count=1, average=90 B")

    def test_difference(self):
        self.assertEqual(self.rows("diff", self.old, self.new)[0],
                         "tree.c:40: size=6003 B (+6000 B), count=2 (+1), average=3002 B")

    def stack(self, *words):
        source = self.directory / "source.c"
        source.write_text("int main(void) {\n\n    grow();\n}\n")
        path = self.save("stack", f"0 1 3 {source}:3;{source}:2;b.c:4\n")
        lines = self.heaptally("top", "-k", "traceback", *words, path).stdout.replace(f"{source}", "S")
        return lines.splitlines()[2:-1]

    def test_stack(self):
        oldest, middle, newest = '  File "b.c", line 4', '  File "S", line 2', '  File "S", line 3'
        text = "    grow();"
        self.assertEqual(self.stack(), [oldest, middle, newest, text])
        self.assertEqual(self.stack("--limit", "1"), [newest, text])
        self.assertEqual(self.stack("--limit", "-1"), [oldest])
        self.assertEqual(self.stack("--limit", "0"), [])
        self.assertEqual(self.stack("--limit", "-1", "--compat", "tracemalloc"), [oldest, middle])
        self.assertEqual(self.stack("--most-recent-first"), [newest, text, middle, oldest])
        self.assertEqual(self.stack("--limit", "2", "--most-recent-first"), [newest, text, middle])
        self.assertEqual(self.stack("--limit", "-2", "--most-recent-first"), [middle, oldest])

    def test_traces_survive(self):
        self.assertEqual(sorted(self.heaptally("dump", self.old).stdout.splitlines()), sorted(OLD.splitlines()))

    def test_a_native_heap_survives_too(self):
        """Lines and sums; where a line is not known, module and offset become the name of a file."""
        native, imported = self.directory / "native.hts", self.directory / "imported.hts"
        self.heaptally("run", "-o", native, "--", PROGRAMS / "peak")
        (self.directory / "native.txt").write_text(self.heaptally("dump", native).stdout)
        self.heaptally("import", self.directory / "native.txt", "-o", imported)
        rows = [{(row["file"], row["line"]): (row["size"], row["count"])
                 for row in self.top(path, "--raw", "--cumulative")["rows"] if row["file"] and row["line"]}
                for path in (native, imported)]
        self.assertGreater(len(rows[0]), 2)
        self.assertEqual(*rows)
        self.assertEqual(*(self.top(path)["totals"]["live_bytes"] for path in (native, imported)))

    def test_damaged_traces_are_refused_by_line(self):
        text = self.directory / "bad.txt"
        for traces, where in (("0 1 1 a:1\n0 1 a:1\n", "line 2: column 5"), ("0 1 1 a\\q:1\n", "column 8"),
                              ("0 1 1 a:1\0\n", "NUL")):
            text.write_text(traces)
            refusal = self.heaptally("import", text, "-o", self.directory / "x.hts", check=2).stderr
            self.assertIn("bad.txt: line", refusal)
            self.assertIn(where, refusal)
        self.assertFalse((self.directory / "x.hts").exists())
        self.assertIn("-o", self.heaptally("import", text, check=2).stderr)


class TableTest(TestCase):
    def test_every_test_of_the_table_is_there(self):
        """tests/tracemalloc.md names tests as `file::name`."""
        named = re.findall(r"`([\w/]+\.\w+)::(\w+)`", (TESTS / "tracemalloc.md").read_text())
        self.assertGreater(len(named), 20)
        for path, name in named:
            with self.subTest(test=f"{path}::{name}"):
                self.assertRegex((TESTS / path).read_text(), rf"\b{name}\(")


main()
