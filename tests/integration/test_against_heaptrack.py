"""What each line held at the peak, as heaptrack finds it: equal with one thread, within the stated bound with many.

heaptrack prints the stacks by their consumption at its peak, rounded, and the same stacks in the same order, with
exact bytes but without lines, for a flame graph: the two are put together, and each confirms the other.

Both tools see the same program, with one difference: heaptrack brings libstdc++ into programs that have none, whose
constructor allocates. So lines of the fixture's own file are compared: a block belongs to the newest frame there. That
is the line that a row names, too, but for what libc allocates for the program (buffers of streams, threads).
"""

import collections
import re
import shutil
import subprocess
import unittest

from heaptally_test import PROGRAMS, SOURCES, TestCase, main

SEARCH = "add 300\nquery 700\n"
FACTORS = {"B": 1, "K": 1e3, "M": 1e6, "G": 1e9}


@unittest.skipUnless(shutil.which("heaptrack") and shutil.which("heaptrack_print"),
                     "heaptrack is not installed (scripts/install-deps installs it)")
class PeakTest(TestCase):
    def heaptracks_stacks(self, program, *arguments, text):
        """(bytes at the peak, [(file, line), ...] newest first) of each stack, and its printed peak in bytes."""
        data, graph = self.directory / "data", self.directory / "graph"
        subprocess.run(["heaptrack", "-o", data, PROGRAMS / program, *arguments], env=self.environment(), input=text,
                       text=True, check=True, capture_output=True, timeout=120)
        done = subprocess.run(["heaptrack_print", "-f", f"{data}.zst", "-p", "1", "-a", "0", "-T", "0", "-l", "0", "-m", "0",
                               "-n", "1000000", "-s", "1000000", "--flamegraph-cost-type", "peak", "-F", graph],
                              env=self.environment(), text=True, check=True, capture_output=True, timeout=120)
        costs = [int(line.rsplit(" ", 1)[1]) for line in graph.read_text().splitlines()]
        costs = [cost for cost in costs if cost]
        printed, rest = done.stdout.split("PEAK MEMORY CONSUMERS\n")[1].split("\n\n\n")[:2]
        stacks = printed.strip().split("\n\n")
        self.assertEqual(len(stacks), len(costs))
        return [(cost, self.places(stack, cost)) for stack, cost in zip(stacks, costs)]

    def places(self, stack, cost):
        heading, *lines = stack.splitlines()
        number, unit = re.match(r"([\d.]+)([BKMG]) peak memory consumed over", heading).groups()
        self.assertLessEqual(abs(float(number) * FACTORS[unit] - cost), 0.005001 * FACTORS[unit], heading)
        found = (re.fullmatch(r"    at (.*):(\d+)", line) for line in lines)
        return [(match[1], int(match[2])) for match in found if match]

    def heaptracks_lines(self, source, program, *arguments, text=None):
        """{line: bytes at the peak}, by the newest frame in the fixture's file."""
        lines = collections.Counter()
        for cost, places in self.heaptracks_stacks(program, *arguments, text=text):
            own = [line for file, line in places if file == str(source)]
            if own:
                lines[own[0]] += cost
        return dict(lines)

    def heaptallys(self, source, program, *arguments, text=None):
        """The same, by stacks; then by the rows that name these lines; and what info says of the peak."""
        path = self.directory / "a.hts"
        self.heaptally("run", "--overwrite", "-o", path, "--", PROGRAMS / program, *arguments, input=text)
        lines = collections.Counter()
        for row in self.top(path, "--metric", "peak", "-k", "traceback")["rows"]:
            own = [frame["line"] for frame in row["traceback"] if frame["file"] == str(source)]
            if own:
                lines[own[0]] += row["size"]
        rows = self.top(path, "--metric", "peak", "--include", source)["rows"]
        info = self.json_of("info", path)
        self.assertEqual({name: count for name, count in info["losses"].items() if count}, {})
        return dict(lines), {row["line"]: row["size"] for row in rows}, info

    def both(self, name, *arguments, text=None):
        source = SOURCES / name
        theirs = self.heaptracks_lines(source, source.stem, *arguments, text=text)
        ours, rows, info = self.heaptallys(source, source.stem, *arguments, text=text)
        self.assertGreater(len(theirs), 2)
        return ours, rows, theirs, info

    def test_one_thread_is_equal(self):
        for name, arguments, text in (("peak.c", (), None), ("containers.cc", (), None), ("peaks.c", (1,), None),
                                      ("new_delete.cc", (), None), ("templates.cc", (), None), ("search_index.cc", (), SEARCH)):
            with self.subTest(program=name):
                ours, rows, theirs, info = self.both(name, *map(str, arguments), text=text)
                self.assertEqual(info["peak_bound_bytes"], 0)
                self.assertEqual(ours, theirs)
                if text is None:  # else it reads and prints through buffers of libc's
                    self.assertEqual(rows, theirs)

    def test_eight_threads_are_within_the_bound(self):
        ours, _, theirs, info = self.both("peaks.c", "8")
        self.assertGreater(info["peak_bound_bytes"], 0)
        self.assertEqual(ours.keys(), theirs.keys())
        for line, size in theirs.items():
            with self.subTest(line=line):
                self.assertLessEqual(abs(ours[line] - size), info["peak_bound_bytes"])
        self.assertLessEqual(abs(sum(ours.values()) - sum(theirs.values())), info["peak_bound_bytes"])
        # the bound tells something: it is far less than the waves differ by
        self.assertLess(info["peak_bound_bytes"], sum(theirs.values()) // 2)


main()
