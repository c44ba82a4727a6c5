"""test_sampling.py [SEEDS [BYTES]]: estimates of HEAPTALLY_SAMPLE hold what they say of themselves.

A program allocates known amounts from twelve lines. Each run draws its own sample, and says for each line its size
and count with their standard errors: of the true values about 95 % must lie within 1.96 of these. SEEDS (5) runs at
BYTES (64K) each; with more of them the coverage by line, which is printed, says how good the errors are."""

import json
import sys

from heaptally_test import PROGRAMS, TestCase, main

BYTES = sys.argv.pop(2) if len(sys.argv) > 2 else "64K"
SEEDS = int(sys.argv.pop(1)) if len(sys.argv) > 1 else 5

INTERVAL = 1.96
LARGEST = 10


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
        return {line: {"live": (size * live, live), "total": (size * allocations, allocations)}
                for line, size, allocations, live in rows}

    def estimates(self, snapshot, metric):
        """{line: ((size, error), (count, error))}"""
        return {row["line"]: ((row["size"], row["size_error"]), (row["count"], row["count_error"]))
                for row in self.top(snapshot, "--metric", metric)["rows"] if (row["file"] or "").endswith("samples.c")}

    def run_once(self, tallies, totals):
        output, snapshot = self.sample()
        truth = self.truth(output)
        for metric in ("live", "total"):
            found = self.estimates(snapshot, metric)
            for line, of_metric in truth.items():
                for what, (value, error), true in zip(("size", "count"), found.get(line, ((0, 0), (0, 0))),
                                                      of_metric[metric]):
                    tallies.setdefault((metric, what, line), []).append(abs(value - true) <= INTERVAL * error + 1)
                    sums = totals.setdefault((metric, what, line), [0, 0, 0])
                    sums[:] = [sums[0] + value, sums[1] + true, sums[2] + error ** 2]
        snapshot.unlink()
        return truth

    def test_true_values_lie_in_the_intervals(self):
        tallies, totals = {}, {}
        for _ in range(SEEDS):
            truth = self.run_once(tallies, totals)
        largest = sorted(truth, key=lambda line: -truth[line]["live"][0])[:LARGEST]
        print()
        for metric in ("live", "total"):
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
