"""HEAPTALLY_DETAILS: temporary blocks, reallocs, waste, histograms of sizes, lifetimes and ages, who freed; against what
the program details says of its lines."""

import json
import re
import signal
import subprocess

from heaptally_test import PROGRAMS, TestCase, main

PROGRAM = PROGRAMS / "details"
LATE_MS = 5000  # how much later than asked for a machine may wake a program up


class DetailsTest(TestCase):
    def trace(self, *arguments, **variables):
        """What the program says of its lines, and the snapshots that were written."""
        done = self.run_program([PROGRAM, *arguments], environment=self.environment(HEAPTALLY_DETAILS="1", **variables))
        self.assertEqual(done.stderr, b"")
        facts = {}
        for words in map(str.split, done.stdout.decode().splitlines()):
            facts.setdefault(int(words[0]), {}).update(zip(words[1::2], map(int, words[2::2])))
        self.assertTrue(facts)
        return facts, self.snapshots()

    def rows(self, snapshot, histogram, *options):
        report = self.top(snapshot, "--metric", "total", "--histogram", histogram, "--each", *options)
        self.assertEqual({k: v for k, v in report["losses"].items() if v}, {})
        return {row["line"]: row for row in report["rows"] if (row["file"] or "").endswith("/details.c")}

    @staticmethod
    def count_from(row, start):
        return {bucket["from"]: bucket["freed"] for bucket in row["histogram"]["buckets"]}[start]

    def measured(self, snapshot):
        """A function (line, name) -> value, of names as the program has them."""
        sizes, laters = self.rows(snapshot, "size"), self.rows(snapshot, "lifetime-count")

        def value(line, name):
            word, number = re.fullmatch(r"([a-z_]+?)(\d*)", name).groups()
            if word in ("size", "live"):
                bucket = sizes[line]["histogram"]["buckets"][int(number)]
                return bucket["allocated" if word == "size" else "live"]
            if word == "later":
                return self.count_from(laters[line], int(number))
            return sizes[line]["details"][name]
        return value

    TIMED = {"age_ms", "life_ms", "handed"}

    def test_lines_are_as_the_program_says(self):
        facts, snapshots = self.trace()
        value = self.measured(self.only(snapshots))
        compared = 0
        for line, expected in facts.items():
            for name, number in expected.items():
                if name not in self.TIMED:
                    compared += 1
                    with self.subTest(line=line, name=name):
                        self.assertEqual(value(line, name), number)
        self.assertGreater(compared, 50)

    def test_the_same_under_other_unwinders_and_with_little_memory(self):
        for variables in ({"HEAPTALLY_UNWINDER": "gcc"}, {"HEAPTALLY_VERIFY_UNWIND": "1"}, {"HEAPTALLY_MEMORY": "2M"}):
            for snapshot in self.snapshots():
                snapshot.unlink()
            facts, snapshots = self.trace(**variables)
            value = self.measured(self.only(snapshots))
            for line, expected in facts.items():
                for name in expected.keys() & {"temporary_blocks", "waste_bytes", "moves", "later0"}:
                    with self.subTest(line=line, name=name, **variables):
                        self.assertEqual(value(line, name), expected[name])

    def test_times_are_within_bounds(self):
        facts, snapshots = self.trace()
        snapshot = self.only(snapshots)
        lives, ages = self.rows(snapshot, "lifetime"), self.rows(snapshot, "age")
        line = self.only(line for line, expected in facts.items() if "life_ms" in expected)
        life = self.only(b for b in lives[line]["histogram"]["buckets"] if b["freed"])
        self.assertEqual(life["freed"], 1)
        self.assertGreater(life["below"], facts[line]["life_ms"] * 1e6)
        self.assertLess(life["from"], (facts[line]["life_ms"] + LATE_MS) * 1e6)
        age = self.only(b for b in ages[line]["histogram"]["buckets"] if b["live"])
        self.assertEqual((age["live"], age["bytes"]), (1, 300))
        self.assertGreater(age["below"], facts[line]["age_ms"] * 1e6)
        self.assertLess(age["from"], (facts[line]["age_ms"] + LATE_MS) * 1e6)
        self.assertLessEqual(age["below"] - age["from"], max(age["below"] / 4, 2 ** 22))

    def test_other_threads_free(self):
        facts, snapshots = self.trace()
        snapshot = self.only(snapshots)
        line = self.only(line for line, expected in facts.items() if "handed" in expected)
        laters = self.rows(snapshot, "lifetime-count")[line]["histogram"]["buckets"]
        self.assertEqual(sum(bucket["freed"] for bucket in laters), 300)
        # 128 and more later ones: of 300 blocks the first 172, and what pthread_create allocates before the thread runs
        self.assertIn(sum(bucket["freed"] for bucket in laters if bucket["from"] >= 128), range(172, 180))
        ages = self.rows(snapshot, "age")[line]["histogram"]["buckets"]
        self.assertEqual([b for b in ages if b["live"] or b["bytes"]], [])
        pid = int(snapshot.name.split(".")[0])
        report = self.top(snapshot, "-k", "freeing-thread,lineno")
        self.assertEqual((report["key"], report["metric"]), ("freeing-thread,lineno", "freed"))
        by = {row["freeing_thread"] == pid: row for row in report["rows"] if row["line"] == line}
        self.assertEqual(by.keys(), {False})
        self.assertEqual((by[False]["count"], by[False]["size"]), (300, 300 * 5000))
        totals = report["totals"]
        self.assertEqual(sum(row["count"] for row in report["rows"]), totals["frees"])
        self.assertEqual(sum(row["size"] for row in report["rows"]), totals["allocated_bytes"] - totals["live_bytes"])
        self.assertIn("freed by thread ", self.heaptally("top", "-k", "freeing-thread", snapshot).stdout)
        filtered = self.top(snapshot, "--metric", "freed", "--thread", by[False]["freeing_thread"])
        self.assertIn((line, 300), {(row["line"], row["count"]) for row in filtered["rows"]})

    def test_a_child_knows_what_it_inherited(self):
        facts, snapshots = self.trace("fork")
        line = self.only(facts)
        frees = {snapshot: self.top(snapshot)["totals"]["frees"] for snapshot in snapshots}
        parent = self.only(snapshot for snapshot in snapshots if frees[snapshot] == 0)
        child = self.only(set(snapshots) - {parent})
        for name, number in facts[line].items():
            value = self.measured(child if name.startswith("child_") else parent)
            with self.subTest(name=name):
                self.assertEqual(value(line, name.removeprefix("child_")), number)
        ages = self.rows(child, "age")[line]["histogram"]["buckets"]
        self.assertEqual(sum(bucket["live"] for bucket in ages), facts[line]["child_live14"])

    def test_temporary_is_before_so_many(self):
        facts, snapshots = self.trace(HEAPTALLY_TEMPORARY="2")
        value = self.measured(self.only(snapshots))
        line = self.only(line for line, expected in facts.items() if expected.get("later1") == 10)
        self.assertEqual(value(line, "temporary_blocks"), 10)
        self.assertEqual(self.top(self.only(snapshots))["temporary_below"], 2)

    def test_histograms_add_up(self):
        snapshot = self.only(self.trace()[1])
        totals = self.top(snapshot)["totals"]
        for kind, count, expected in (("size", "allocated", "allocations"), ("size", "live", "live_blocks"),
                                      ("lifetime", "freed", "frees"), ("lifetime-count", "freed", "frees"),
                                      ("age", "live", "live_blocks"), ("age", "bytes", "live_bytes")):
            report = self.top(snapshot, "--histogram", kind, "--each")
            self.assertEqual(report["histogram"]["of"], kind)
            self.assertEqual(sum(b[count] for b in report["histogram"]["buckets"]), totals[expected], kind)
            self.assertEqual(sum(b[count] for row in report["rows"] for b in row["histogram"]["buckets"]),
                             totals[expected], kind)
            for one, next_ in zip(report["histogram"]["buckets"], report["histogram"]["buckets"][1:]):
                self.assertTrue(kind == "age" or one["below"] == next_["from"])

    # ---- metrics ----

    def metric(self, snapshot, name):
        report = self.top(snapshot, "--metric", name, "--raw")
        self.assertEqual(report["metric"], name)
        return report

    def test_metrics(self):
        facts, snapshots = self.trace()
        snapshot = self.only(snapshots)
        for name, size, count in (("temporary", "temporary_bytes", "temporary_blocks"),
                                  ("reallocs", "realloc_bytes", "reallocs"), ("waste", "waste_bytes", None),
                                  ("peak-waste", "peak_waste_bytes", None)):
            report = self.metric(snapshot, name)
            self.assertEqual(sum(row["size"] for row in report["rows"]), report["details"][size])
            for row in report["rows"]:
                self.assertEqual(row["size"], row["details"][size])
                if count is not None:
                    self.assertEqual(row["count"], row["details"][count])
            if count is not None:
                counts = [row["count"] for row in report["rows"]]
                self.assertEqual(counts, sorted(counts, reverse=True))
        waste = self.metric(snapshot, "waste")
        line, fields = self.only((line, fields) for line, fields in facts.items() if "waste_bytes" in fields)
        self.assertEqual(self.only(row["size"] for row in waste["rows"] if row["line"] == line), fields["waste_bytes"])
        self.assertIn("moved=1, copied=90 B", self.heaptally("top", "--metric", "reallocs", snapshot).stdout)
        self.assertRegex(self.heaptally("diff", "--metric", "temporary", snapshot, snapshot).stdout,
                         r"differences of temporary blocks, by count \]\n.*count=\d+ \(\+0\)")

    def test_annotate_has_columns(self):
        facts, snapshots = self.trace()
        snapshot = self.only(snapshots)
        text = self.heaptally("annotate", "--details", snapshot, "details.c").stdout
        self.assertRegex(text.splitlines()[1], r"FREES +TEMPORARY +REALLOCS +WASTE +SOURCE")
        found = {int(words[0]): words[5:8] for words in map(str.split, text.splitlines())
                 if len(words) > 8 and words[0].isdigit() and all(word.lstrip("-").isdigit() for word in words[1:8])}
        for line, expected in facts.items():
            for column, name in enumerate(("temporary_blocks", "reallocs", "waste_bytes")):
                if name in expected:
                    with self.subTest(line=line, name=name):
                        self.assertEqual(int(found[line][column]), expected[name])
        self.assertNotIn("WASTE", self.heaptally("annotate", snapshot, "details.c").stdout)

    def test_annotate_has_them_in_json(self):
        facts, snapshots = self.trace()
        snapshot = self.only(snapshots)
        names = ("temporary_blocks", "reallocs", "waste_bytes")
        report = json.loads(self.heaptally("annotate", "--json", "--details", snapshot, "details.c").stdout)
        found = {line["line"]: line for line in report["lines"]}
        for line, expected in facts.items():
            for name in expected.keys() & set(names):
                with self.subTest(line=line, name=name):
                    self.assertEqual(found[line][name], expected[name])
        for name in names:
            self.assertEqual(report["totals"][name], sum(line[name] for line in report["lines"]))
        plain = json.loads(self.heaptally("annotate", "--json", snapshot, "details.c").stdout)
        for numbers in (plain["totals"], *plain["lines"]):
            self.assertFalse(set(names) & numbers.keys())

    def test_info_says_so(self):
        snapshot = self.only(self.trace()[1])
        self.assertRegex(self.heaptally("info", snapshot).stdout, r"details +temporary .* before the next allocation")
        facts = json.loads(self.heaptally("info", "--json", snapshot).stdout)
        self.assertEqual((facts["temporary_below"], facts["details"]["moves"]), (1, 1))

    # ---- without details ----

    def test_what_takes_details_says_so_without_them(self):
        self.run_program([PROGRAM])
        snapshot = self.only(self.snapshots())
        for words in (("top", "--metric", "temporary"), ("top", "--metric", "reallocs"), ("top", "--metric", "waste"),
                      ("top", "--histogram", "size"), ("diff", "--metric", "peak-waste", snapshot)):
            said = self.heaptally(*words, snapshot, check=2).stderr
            self.assertIn("HEAPTALLY_DETAILS=1", said)
            self.assertIn(words[2] if words[1] == "--metric" else words[1], said)
        self.assertIn("HEAPTALLY_DETAILS=1", self.heaptally("annotate", "--details", snapshot, "details.c", check=2).stderr)
        self.assertNotIn('"details": {', self.heaptally("top", "--json", snapshot).stdout)
        counts = [row["count"] for row in self.metric(snapshot, "count")["rows"]]
        self.assertEqual(counts, sorted(counts, reverse=True))
        self.assertGreater(self.metric(snapshot, "freed")["rows"][0]["count"], 0)

    def test_what_does_not_go_together_is_refused(self):
        snapshot = self.only(self.trace()[1])
        for words, said in ((("top", "-k", "freeing-thread", "--metric", "live"), "--metric freed"),
                            (("top", "-k", "freeing-thread,thread"), "cannot be used together"),
                            (("top", "--each"), "--histogram"), (("growth", "--metric", "count"), "of counts")):
            self.assertIn(said, self.heaptally(*words, snapshot, check=2).stderr)
        run = ("run", "--details", "--sample", "64K", "--", "/bin/true")
        self.assertIn("--details", self.heaptally(*run, check=2).stderr)
        done = self.run_program(["/bin/true"], check=2,
                                environment=self.environment(HEAPTALLY_DETAILS="1", HEAPTALLY_SAMPLE="64K"))
        self.assertIn(b"HEAPTALLY_SAMPLE", done.stderr)

    # ---- processes that run, and that were killed ----

    def test_running_and_killed(self):
        process = self.start_program([PROGRAMS / "grows"], self.environment(HEAPTALLY_DETAILS="1"), stdin=subprocess.PIPE)
        report = self.top(process.pid, "--histogram", "age")
        self.assertEqual(sum(b["live"] for b in report["histogram"]["buckets"]), report["totals"]["live_blocks"])
        process.send_signal(signal.SIGKILL)
        process.wait()
        image = self.only(self.image_files())
        dead = self.top(image, "--histogram", "age")
        self.assertEqual(sum(b["bytes"] for b in dead["histogram"]["buckets"]), report["totals"]["live_bytes"])
        self.assertGreater(sum(b["from"] == 0 for b in dead["histogram"]["buckets"]), 0)  # as of its last event

    def test_run_takes_the_option(self):
        path = self.directory / "run.hts"
        self.heaptally("run", "--details", "-o", path, "--", PROGRAM)
        self.assertEqual(self.top(path)["temporary_below"], 1)


main()
