"""annotate: on C++ programs with inlined calls, the sums of its columns are the totals of top."""

import json
import subprocess

from heaptally_test import PROGRAMS, SOURCES, TestCase, main

SOURCE = SOURCES / "search_index.cc"


class AnnotateTest(TestCase):
    def setUp(self):
        super().setUp()
        self.path = self.directory / "a.hts"
        self.heaptally("run", "-o", self.path, "--", PROGRAMS / "search_index", input="add 500\nquery 1000\n")

    def annotate(self, *words):
        """The path, {line: numbers}, the sums as printed, and the lines of text."""
        path, heading, *lines, total = self.heaptally("annotate", self.path, *words).stdout.splitlines()
        self.assertEqual(heading.split(), ["LINE", "LIVE", "PEAK", "ALLOCATIONS", "FREES", "SOURCE"])
        width = heading.index("  SOURCE")
        cells = [line[:width].split() for line in lines]
        numbers = {int(row[0]): [int(cell) for cell in row[1:]] for row in cells if len(row) > 1}
        self.assertTrue(all(len(row) in (1, 5) for row in cells))
        return path, numbers, [int(cell) for cell in total.split()[1:]], lines

    def totals_of_top(self, *words):
        """Of the same columns, by three calls of top."""
        sums = {metric: [sum(row[name] for row in self.top(self.path, "--metric", metric, *words)["rows"])
                         for name in ("size", "count")] for metric in ("live", "peak", "total")}
        return [sums["live"][0], sums["peak"][0], sums["total"][1], sums["total"][1] - sums["live"][1]]

    def test_sums_are_the_totals_of_top(self):
        for words in ((), ("--raw",), ("--skip", "Index::*")):
            with self.subTest(words=words):
                if words == ("--raw",):  # the newest frames are all in operator new: a file that is not here
                    self.assertIn("no row names", self.heaptally("annotate", *words, self.path, SOURCE, check=2).stderr)
                    continue
                path, numbers, total, _ = self.annotate(*words, SOURCE)
                self.assertEqual(path, str(SOURCE))
                self.assertGreater(len(numbers), 2)
                self.assertEqual(total, [sum(column) for column in zip(*numbers.values())])
                self.assertEqual(total, self.totals_of_top(*words, "--include", SOURCE))

    def test_every_line_of_the_file_is_there(self):
        source = SOURCE.read_text().splitlines()
        lines = self.annotate(SOURCE.name)[3]
        self.assertEqual(len(lines), len(source))
        for number, (line, text) in enumerate(zip(lines, source), 1):
            self.assertEqual(int(line.split()[0]), number)
            self.assertTrue(line.endswith(text.expandtabs(8)), line)

    def test_one_function(self):
        every = self.annotate(SOURCE)[1]
        functions = {row["function"] for row in self.top(self.path, "-k", "function", "--metric", "total")["rows"]
                     if row["file"] == str(SOURCE)}
        self.assertGreater(len(functions), 1)
        columns = [0, 0, 0, 0]
        for function in functions:
            _, numbers, total, lines = self.annotate(f"{SOURCE}:{function}")
            self.assertLessEqual(numbers.keys(), every.keys())
            self.assertEqual(int(lines[0].split()[0]), min(numbers))
            self.assertEqual(int(lines[-1].split()[0]), max(numbers))
            columns = [a + b for a, b in zip(columns, total)]
        self.assertEqual(columns, self.annotate(SOURCE)[2])

    def test_files_that_are_none(self):
        for place in ("nonsense.c", f"{SOURCE}:nonsense", "index.cc"):
            with self.subTest(place=place):
                self.assertIn("no row names", self.heaptally("annotate", self.path, place, check=2).stderr)
        text = self.directory / "two.txt"
        text.write_text("0 1 1 /a/same.c:1\n0 1 1 /b/same.c:1\n")
        self.heaptally("import", text, "-o", self.directory / "two.hts")
        refusal = self.heaptally("annotate", self.directory / "two.hts", "same.c", check=2).stderr
        self.assertIn("/a/same.c", refusal)
        self.assertIn("/b/same.c", refusal)
        self.assertIn("/a/same.c", self.heaptally("annotate", self.directory / "two.hts", "a/same.c").stdout)

    def test_many_lines(self):
        """Rows come by size; lines stand in their order, each once, with all that is theirs."""
        blocks = [(line * 7919 % 20011 + 1, 1 + line % 13) for line in range(20010)] * 2
        text, self.path = self.directory / "many.txt", self.directory / "many.hts"
        text.write_text("".join(f"0 {size} 1 /nowhere/many.c:{line}\n" for line, size in blocks))
        self.heaptally("import", text, "-o", self.path)
        path, numbers, total, lines = self.annotate("many.c")
        self.assertEqual((path, len(lines), list(numbers)), ("/nowhere/many.c", 20010, sorted(numbers)))
        self.assertEqual(numbers, {line: [2 * size, 2 * size, 2, 0] for line, size in blocks})
        self.assertEqual(total, [sum(column) for column in zip(*numbers.values())])

    def test_json_is_the_text(self):
        _, numbers, total, lines = self.annotate(SOURCE)
        report = json.loads(self.heaptally("annotate", "--json", self.path, SOURCE).stdout)
        self.assertEqual((report["file"], report["function"]), (str(SOURCE), None))
        self.assertEqual({line["line"]: [line[name] for name in COLUMNS] for line in report["lines"]}, numbers)
        self.assertEqual([report["totals"][name] for name in COLUMNS], total)
        source = SOURCE.read_text().splitlines()
        self.assertEqual([line["source"] for line in report["lines"]],
                         [source[line["line"] - 1] for line in report["lines"]])
        one = json.loads(self.heaptally("annotate", "--json", self.path, f"{SOURCE}:make_document").stdout)
        self.assertEqual(one["function"], "make_document")
        self.assertLess(one["totals"]["allocations"], report["totals"]["allocations"])


COLUMNS = ("live_bytes", "peak_bytes", "allocations", "frees")


class InliningTest(TestCase):
    """templates.cc: at -O2 its templates and lambdas are no functions any more, but frames of their own they are."""

    SOURCE = SOURCES / "templates.cc"

    def setUp(self):
        super().setUp()
        self.path = self.directory / "a.hts"
        self.heaptally("run", "-o", self.path, "--", PROGRAMS / "templates")

    def column_totals(self, file, *words):
        totals = json.loads(self.heaptally("annotate", "--json", *words, self.path, file).stdout)["totals"]
        return [totals[name] for name in COLUMNS]

    def totals_of_top(self, *words):
        reports = {metric: self.top(self.path, "--metric", metric, *words) for metric in ("live", "peak", "total")}
        sums = {metric: [sum(row[name] for row in report["rows"]) for name in ("size", "count")]
                for metric, report in reports.items()}
        return [sums["live"][0], sums["peak"][0], sums["total"][1], sums["total"][1] - sums["live"][1]]

    def test_it_is_inlined(self):
        """Functions of the stacks that the program has no code of."""
        symbols = subprocess.run(["nm", "-C", PROGRAMS / "templates"], check=True, capture_output=True, text=True).stdout
        frames = {frame["function"] for row in self.top(self.path, "-k", "traceback", "--metric", "total")["rows"]
                  for frame in row["traceback"] if frame["file"] == str(self.SOURCE)}
        inlined = {function for function in frames if function not in symbols}
        for name in ("push<", "slot<", "plain<"):
            with self.subTest(function=name):
                self.assertTrue([function for function in inlined if name in function], inlined)

    def test_sums_are_the_totals_of_top(self):
        ours = self.column_totals(self.SOURCE)
        self.assertTrue(all(value > 0 for value in ours), ours)
        self.assertLess(ours[3], ours[2])
        for words in ((), ("--skip", "*Round::fill*"), ("--skip", "*Stack*", "--skip", "slot*")):
            with self.subTest(words=words):
                self.assertEqual(self.column_totals(self.SOURCE, *words),
                                 self.totals_of_top(*words, "--include", self.SOURCE))

    def test_all_files_are_the_process(self):
        """Each file's columns, and what has no file, add up to the totals of the process."""
        rows = {metric: self.top(self.path, "-k", "filename", "--metric", metric)["rows"] for metric in
                ("live", "peak", "total")}
        files = {row["file"] for metric in rows.values() for row in metric if row["file"]}
        self.assertIn(str(self.SOURCE), files)
        sums = [sum(column) for column in zip(*(self.column_totals(file) for file in files))]
        fileless = {metric: [sum(row[name] for row in rows[metric] if not row["file"]) for name in ("size", "count")]
                    for metric in rows}
        totals = self.top(self.path)["totals"]
        self.assertEqual(sums[0] + fileless["live"][0], totals["live_bytes"])
        self.assertEqual(sums[1] + fileless["peak"][0], totals["peak_bytes"])
        self.assertEqual(sums[2] + fileless["total"][1], totals["allocations"])
        self.assertEqual(sums[3] + fileless["total"][1] - fileless["live"][1], totals["frees"])


main()
