"""test_sampling.py [SEEDS [BYTES]]: estimates of HEAPTALLY_SAMPLE hold what they say of themselves.

A program allocates known amounts from twelve lines. Each run draws its own sample, and says for each line its size
and count with their standard errors: of the true values about 95 % must lie within 1.96 of these. SEEDS (5) runs at
BYTES (64K) each; with more of them the coverage by line, which is printed, says how good the errors are."""

import json
import subprocess
import sys

from heaptally_test import PROGRAMS, TestCase, main

BYTES = sys.argv.pop(2) if len(sys.argv) > 2 else "64K"
SEEDS = int(sys.argv.pop(1)) if len(sys.argv) > 1 else 5

INTERVAL = 1.96
LARGEST = 10
METRICS = ("live", "peak", "total")


class SamplingTest(TestCase):
    def sample(self, every=BYTES, program="samples", **variables):
        """The output of a sampled run, and its snapshot."""
        before = set(self.snapshots())
        done = self.run_program([PROGRAMS / program], environment=self.environment(HEAPTALLY_SAMPLE=every, **variables))
        return done.stdout.decode(), self.only(set(self.snapshots()) - before)

    @staticmethod
    def truth(output):
        """{line: {metric: (size, count)}}"""
        rows = [tuple(map(int, line.split())) for line in output.splitlines()]
        return {line: {"live": (size * live, live), "peak": (size * peak, peak),
                       "total": (size * allocations, allocations)}
                for line, size, allocations, live, peak in rows}

    def estimates(self, snapshot, metric):
        """{line: ((size, error), (count, error))}"""
        return {row["line"]: ((row["size"], row["size_error"]), (row["count"], row["count_error"]))
                for row in self.top(snapshot, "--metric", metric)["rows"] if (row["file"] or "").endswith("samples.c")}

    def run_once(self, tallies, totals):
        output, snapshot = self.sample()
        truth = self.truth(output)
        for metric in METRICS:
            found = self.estimates(snapshot, metric)
            for line, of_metric in truth.items():
                for what, (value, error), true in zip(("size", "count"), found.get(line, ((0, 0), (0, 0))),
                                                      of_metric[metric]):
                    tallies.setdefault((metric, what, line), []).append(abs(value - true) <= INTERVAL * error + 1)
                    sums = totals.setdefault((metric, what, line), [0, 0, 0])
                    sums[:] = [sums[0] + value, sums[1] + true, sums[2] + error ** 2]
        snapshot.unlink()
        return truth

    # ---- every output says that its figures are estimates ----

    LINE = "estimates from samples, one each 64.0 KiB on average; +- is the standard error"

    def test_rows_and_totals_have_errors(self):
        snapshot = self.sample("64K")[1]
        for words in (("top",), ("top", "-k", "traceback"), ("growth",)):
            text = self.heaptally(*words, "-n", "2", snapshot).stdout.splitlines()
            self.assertTrue(text[1].startswith(self.LINE), text)
            self.assertRegex(text[2], r": size=\S+ \S+ \+-\S+ \S+.*, count=\d+ \+-\d+")
            self.assertRegex("\n".join(text), r"\nTotal allocated size: \S+ KiB \+-\S+ KiB")
        text = self.heaptally("diff", snapshot, snapshot).stdout.splitlines()
        self.assertIn("of differences it is at most so large", text[1])
        self.assertRegex(text[2], r": size=\S+ \S+ \+-\S+ \S+ \(\+0 B \+-\S+ \S+\), count=\d+ \+-\d+ \(\+0 \+-\d+\)")
        for row in self.heaptally("top", "--bare", snapshot).stdout.splitlines():
            self.assertRegex(row, r": size=.* \+-.*, count=\d+ \+-\d+, average=")
        self.assertIn(self.LINE, self.heaptally("annotate", snapshot, "samples.c").stdout)

    def test_json_has_errors(self):
        snapshot = self.sample("64K")[1]
        report = self.top(snapshot)
        self.assertEqual(report["sampled_every_bytes"], 65536)
        self.assertGreater(report["totals"]["live_bytes_error"], 0)
        self.assertAlmostEqual(sum(row["size_error"] ** 2 for row in report["rows"]) ** 0.5,
                               report["totals"]["live_bytes_error"], delta=1)
        report = json.loads(self.heaptally("diff", "--json", snapshot, snapshot).stdout)
        self.assertEqual(report["old_sampled_every_bytes"], 65536)
        self.assertAlmostEqual(report["rows"][0]["size_diff_error"], 2 ** 0.5 * report["rows"][0]["size_error"])
        facts = json.loads(self.heaptally("info", "--json", snapshot).stdout)
        self.assertEqual(facts["sampled_every_bytes"], 65536)
        self.assertGreater(facts["sampled"]["allocations"], facts["sampled"]["frees"])
        self.assertIn(self.LINE, self.heaptally("info", snapshot).stdout)

    def test_exact_snapshots_say_nothing_of_it(self):
        snapshot = self.sample("0")[1]
        for words in (("top",), ("diff", snapshot), ("info",), ("top", "--json"), ("annotate", snapshot, "samples.c")):
            text = self.heaptally(*words, *([] if words[0] == "annotate" else [snapshot])).stdout
            self.assertNotIn("+-", text)
            self.assertNotIn("_error", text)
        difference = self.heaptally("diff", self.sample("64K")[1], snapshot).stdout
        self.assertIn("old: one each 64.0 KiB on average, new: exact", difference)

    def test_what_has_no_form_for_estimates_refuses(self):
        snapshot = self.sample("64K")[1]
        self.assertIn("estimates", self.heaptally("dump", snapshot, check=2).stderr)
        self.assertIn("estimates", self.heaptally("top", "--compat", "tracemalloc", snapshot, check=2).stderr)
        self.assertIn("estimates", self.heaptally("diff", "--compat", "tracemalloc", snapshot, snapshot, check=2).stderr)

    def test_run_takes_the_distance(self):
        path = self.directory / "run.hts"
        said = self.heaptally("run", "--sample", "64K", "--top", "1", "-o", path, "--", PROGRAMS / "samples").stderr
        self.assertIn(self.LINE, said)
        self.assertRegex(said, r"samples: estimates from samples, one each 64.0 KiB, \+- standard errors: peak .* \+-")
        self.assertEqual(self.top(path)["sampled_every_bytes"], 65536)
        for wrong in ("64Q", "", "-1", "65G"):
            self.assertIn("--sample", self.heaptally("run", "--sample", wrong, "--", "/bin/true", check=2).stderr)

    def test_running_processes(self):
        process = self.start_program([PROGRAMS / "grows"], self.environment(HEAPTALLY_SAMPLE="1K"),
                                     stdin=subprocess.PIPE)
        listed = self.heaptally("ps").stdout
        self.assertRegex(listed, r"\+-\d+")
        self.assertIn("estimates from samples", listed)
        entry = self.only(json.loads(self.heaptally("ps", "--json").stdout)["processes"])
        self.assertEqual(entry["sampled_every_bytes"], 1024)
        self.assertIn("+-", self.heaptally("top", process.pid).stdout)
        self.heaptally("delta", process.pid)
        self.assertIn("at most so large", self.heaptally("delta", process.pid).stdout)

    def test_true_values_lie_in_the_intervals(self):
        tallies, totals = {}, {}
        for _ in range(SEEDS):
            truth = self.run_once(tallies, totals)
        largest = sorted(truth, key=lambda line: -truth[line]["live"][0])[:LARGEST]
        print()
        for metric in METRICS:
            for what in ("size", "count"):
                hits = {line: sum(tallies[metric, what, line]) for line in truth}
                biases = {line: (totals[metric, what, line][0] - totals[metric, what, line][1]) /
                          max(totals[metric, what, line][2], 1) ** 0.5 for line in truth}
                print(f"{metric} {what}: {100 * sum(hits.values()) / len(hits) / SEEDS:.1f} % of all lines, "
                      f"{100 * sum(hits[line] for line in largest) / LARGEST / SEEDS:.1f} % of the {LARGEST} largest; "
                      f"hits of {SEEDS} {[hits[line] for line in truth]}; "
                      f"bias in errors of the sum {[round(biases[line], 1) for line in truth]}")
                with self.subTest(metric=metric, what=what):
                    self.assertGreaterEqual(sum(hits.values()), 0.8 * len(hits) * SEEDS, hits)


main()
