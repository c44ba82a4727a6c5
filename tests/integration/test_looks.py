"""delta, baseline, growth: one look after another, at a process and at snapshots."""

import re

from heaptally_test import PROGRAMS, TestCase, main


class GrowthTest(TestCase):
    def save(self, name, **sizes):
        """A snapshot with a block for each line `name.c:1`."""
        text, path = self.directory / f"{name}.txt", self.directory / f"{name}.hts"
        text.write_text("".join(f"0 {size} 1 {file}.c:1\n" for file, size in sizes.items()))
        self.heaptally("import", text, "-o", path)
        return path

    def rows(self, *words):
        lines = self.heaptally("growth", "--bare", *words).stdout.splitlines()
        return [re.sub(r" B|, average.*|size=|count=", "", line) for line in lines]

    def test_only_new_maxima(self):
        looks = [self.save("a", leak=10, cache=50, gone=7, twice=3), self.save("b", leak=20, cache=90, twice=3),
                 self.save("c", leak=30, cache=90, fresh=5, gone=6, twice=4)]
        self.assertEqual(self.rows(looks[0])[0], "cache.c:1: 50 (+50), 1 (+1)")
        self.assertEqual(self.rows(*looks[:2]), ["cache.c:1: 90 (+40), 1 (+0)", "leak.c:1: 20 (+10), 1 (+0)"])
        self.assertEqual(self.rows(*looks), ["leak.c:1: 30 (+10), 1 (+0)", "fresh.c:1: 5 (+5), 1 (+1)",
                                             "twice.c:1: 4 (+1), 1 (+0)"])
        self.assertEqual(self.rows(*looks, looks[0]), [])
        text = self.heaptally("growth", *looks).stdout
        self.assertTrue(text.startswith("[ Top 10 that grew ]\n"))
        self.assertIn("Total allocated size: 0.1 KiB (+0.0 KiB)", text)

    def test_nothing_to_look_at(self):
        self.assertIn("PID", self.heaptally("growth", check=2).stderr)
        self.heaptally("growth", self.directory / "no.hts", check=2)


class ProcessTest(TestCase):
    """`grows`, a program that allocates when it is told to, is looked at between."""

    def setUp(self):
        super().setUp()
        self.process = self.start_program([PROGRAMS / "grows"], stdin=-1)
        self.pid = self.process.pid

    def tell(self, order):
        self.process.stdin.write(order + b"\n")
        self.process.stdin.flush()
        self.wait_for_output(self.process, order + b"\n")

    def look(self, command, *words):
        done = self.heaptally(command, "-k", "function", "--bare", *words, self.pid)
        return {row.split(" ")[0]: row for row in done.stdout.splitlines()}

    def test_delta(self):
        first = self.heaptally("delta", "-k", "function", self.pid)
        self.assertIn("first look", first.stderr)
        self.tell(b"leak")
        rows = self.look("delta", "-n", "1")
        self.assertRegex(rows["leak"], r"size=1000 B \(\+1000 B\), count=1 \(\+1\)")
        self.assertRegex(self.look("delta", "-n", "0")["leak"], r"size=1000 B \(\+0 B\), count=1 \(\+0\)")

    def test_baseline(self):
        self.assertIn("baseline", self.heaptally("delta", "--baseline", self.pid, check=2).stderr)
        self.tell(b"leak")
        self.assertEqual(self.heaptally("baseline", self.pid).stdout, "")
        self.tell(b"leak")
        self.assertRegex(self.look("delta")["leak"], r"size=2000 B \(\+1000 B\)")
        self.tell(b"leak")
        self.assertRegex(self.look("delta")["leak"], r"size=3000 B \(\+1000 B\)")
        self.assertRegex(self.look("delta", "--baseline")["leak"], r"size=3000 B \(\+2000 B\)")

    def test_growth(self):
        self.tell(b"cache")
        self.assertRegex(self.look("growth")["cache"], r"size=500 B \(\+500 B\)")
        self.tell(b"cache")
        self.tell(b"leak")
        rows = self.look("growth")
        self.assertNotIn("cache", rows)
        self.assertRegex(rows["leak"], r"size=1000 B \(\+1000 B\)")
        self.assertEqual(self.look("growth"), {})
        self.assertIn("cache", self.look("growth", "--metric", "total"))  # maxima of its own
        self.assertIn("cache", self.look("growth", "--cumulative", "-n", "0"))
        damaged = next(self.images.glob("*.growth-function-live"))
        damaged.write_text("nonsense\n")
        self.assertIn(str(damaged), self.heaptally("growth", "-k", "function", self.pid, check=2).stderr)

    def test_clean_takes_the_looks_of_the_dead(self):
        for command in ("baseline", "delta", "growth"):
            self.heaptally(command, self.pid)
        kept = sorted(path.suffix for path in self.images.iterdir() if path.suffix != ".htimage")
        self.assertEqual(kept, [".baseline", ".growth-lineno-live", ".look"])
        self.heaptally("clean")
        self.assertEqual(len(list(self.images.iterdir())), 4)
        self.end(self.process)
        self.heaptally("clean")
        self.assertEqual(list(self.images.iterdir()), [])

    def test_snapshots_have_no_later_look(self):
        path = self.directory / "a.hts"
        self.heaptally("snapshot", "-o", path, self.pid)
        for command in ("delta", "baseline"):
            self.assertIn("is a snapshot", self.heaptally(command, path, check=2).stderr)


main()
