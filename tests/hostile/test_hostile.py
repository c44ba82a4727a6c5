"""test_hostile.py PROGRAM [ARGUMENT...]: a hostile program does with the tracer what it does without it, and the tracer
finds what the program's own tally says (tally.h).

Options, before the program:
    --env NAME=VALUE    for the traced run
    --preload FILES     LD_PRELOAD of the traced run; OURS stands for the library
    --plain FILES       LD_PRELOAD of the plain run
    --limit NAME=VALUE  a resource limit of both: AS=50331648
    --no-tally          the program keeps none
"""

import argparse
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
from heaptally_test import LIBRARY, Ledger, TestCase, main  # noqa: E402

WATCHDOG_SECONDS = 60
SKIPPED = 77
LEDGERS_COMPARED = 24  # of programs with many children


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--env", action="append", default=[])
    parser.add_argument("--limit", action="append", default=[])
    parser.add_argument("--preload", default="OURS")
    parser.add_argument("--plain", default="")
    parser.add_argument("--no-tally", action="store_true")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    return parser.parse_args()


ARGUMENTS = arguments()
sys.argv[1:] = []


class Tally(Ledger):
    """A ledger with what may differ from it."""

    def __init__(self, path):
        super().__init__(path)
        self.slack, self.losses, self.unattributed, self.source, self.others = 0, set(), False, True, False
        self.slots = None
        for words in (line.split() for line in path.read_text().splitlines()):
            if words[0] == "slack":
                self.slack = int(words[1])
            elif words[0] == "loss":
                self.losses.add(words[1])
            elif words[0] == "unattributed":
                self.unattributed = True
            elif words[0] == "no_source":
                self.source = False
            elif words[0] == "others":
                self.others = True
            elif words[0] == "slots":
                self.slots = int(words[1])


def set_limits():
    for name, value in (text.split("=") for text in ARGUMENTS.limit):
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (int(value), int(value)))


class HostileTest(TestCase):
    def run_watched(self, preload, variables):
        """(status, output, errors) of the program, which a watchdog ends with all that it has started."""
        environment = self.environment(**variables)
        if preload:
            environment["LD_PRELOAD"] = preload.replace("OURS", LIBRARY)
        process = subprocess.Popen(ARGUMENTS.command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, start_new_session=True, cwd=self.directory, preexec_fn=set_limits)
        try:
            output, errors = process.communicate(timeout=WATCHDOG_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            self.fail(f"the watchdog ended it after {WATCHDOG_SECONDS} s")
        return process.returncode, output, errors

    def sources(self, ledger):
        """What the process left: its snapshot at exit, or its image."""
        pid = ledger.stem
        return list(self.directory.glob(f"{pid}.*.hts")) or list(self.images.glob(f"{pid}.*.htimage"))

    def test_same_as_without_the_tracer(self):
        elsewhere = self.directory / "plain"
        elsewhere.mkdir()
        plain = self.run_watched(ARGUMENTS.plain, {"LEDGER_DIR": elsewhere})
        if plain[0] == SKIPPED:
            self.skipTest("the kernel refuses what the program needs")
        traced = self.run_watched(ARGUMENTS.preload, dict(text.split("=", 1) for text in ARGUMENTS.env))
        self.assertEqual(traced, plain)
        self.assertEqual(list(self.directory.glob("core*")), [])
        ledgers = sorted(self.directory.glob("*.ledger"))
        for ledger in ledgers[-LEDGERS_COMPARED:]:
            with self.subTest(process=ledger.stem):
                self.compare(Tally(ledger), self.sources(ledger))
        self.read_all()
        self.assertEqual(bool(ledgers), not ARGUMENTS.no_tally)

    def read_all(self):
        """Whatever processes left can be read."""
        for source in self.image_files()[:LEDGERS_COMPARED] + self.snapshots()[:LEDGERS_COMPARED]:
            self.heaptally("info", source)

    def compare(self, tally, sources):
        if not tally.source:
            self.assertEqual(sources, [])
            return
        source = self.only(sources)
        if tally.slots is not None:
            self.assertLessEqual(json.loads(self.heaptally("info", "--json", source).stdout)["tables"]["slots"], tally.slots)
        total, live = (self.top(source, "--raw", "--metric", metric) for metric in ("total", "live"))
        losses = {name for name, value in total["losses"].items() if value}
        if "any" not in tally.losses:
            self.assertLessEqual(losses, tally.losses)
        found = self.compare_lines_of(tally, total, "allocations", "allocated_bytes")
        live_found = self.compare_lines_of(tally, live, "live_blocks", "live_bytes")
        for name, count in (("allocations", found), ("live_blocks", live_found), ("frees", found - live_found)):
            self.assertLessEqual(abs(count - tally.totals[name]), tally.slack, f"{name}: {count}")
        self.assertEqual(total["totals"]["allocations"] - total["totals"]["frees"], live["totals"]["live_blocks"])

    def compare_lines_of(self, tally, report, count, size):
        """Every line of the ledger has what it says; returns how many blocks were found to be the program's own."""
        rows, strangers = self.split_rows(report["rows"], tally)
        nameless = [row for row in strangers if row["module"] == "[unattributed]"]
        self.assertLessEqual({row["module"] for row in strangers if row["module"].startswith("[")},
                             {"[unattributed]"} if tally.unattributed or by_loader() else set())
        if not tally.others:
            self.assertLessEqual(rows.keys(), tally.lines.keys())
        missing = 0
        for line, fields in tally.lines.items():
            expected, got = (fields[count], fields[size]), rows.get(line, (0, 0))
            missing += expected[0] - got[0]
            if tally.unattributed:
                self.assertLessEqual(got[0], expected[0] + tally.slack, f"{line} {count}")
            elif tally.slack:
                self.assertLessEqual(abs(got[0] - expected[0]), tally.slack, f"{line} {count}")
            else:
                self.assertEqual(got, expected, f"{line} {count}")
        own = sum(rows.get(line, (0, 0))[0] for line in tally.lines)
        if tally.unattributed:
            own += sum(row["count"] for row in nameless)
            self.assertLessEqual(abs(missing - sum(row["count"] for row in nameless)), tally.slack)
        return own


def by_loader():
    """libunwind's thread-local storage is allocated by the loader when a thread first walks: inside the tracer."""
    return "HEAPTALLY_UNWINDER=libunwind" in ARGUMENTS.env


main()
