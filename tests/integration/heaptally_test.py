"""What the integration tests share: where things are, how a program is traced, what its ledger says.

Every test has a directory of its own for images, snapshots and ledgers, so that tests run in parallel.
"""

import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

COMMAND = os.environ["HEAPTALLY_TEST_COMMAND"]
LIBRARY = os.environ["HEAPTALLY_TEST_LIBRARY"]
PROGRAMS = pathlib.Path(os.environ["HEAPTALLY_TEST_PROGRAMS"])
SOURCES = pathlib.Path(__file__).resolve().parent.parent / "programs"

PATIENCE_SECONDS = 60  # for what must happen; never waited for when it does


def wait_until(condition, what):
    """Polls until condition() is true, and returns its value."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited {PATIENCE_SECONDS} s in vain: {what}")


class Ledger:
    """A fixture's account of its heap; see programs/ledger.h."""

    LINE_FIELDS = ("live_blocks", "live_bytes", "allocations", "allocated_bytes", "peak_blocks", "peak_bytes")

    def __init__(self, path):
        self.totals, self.lines, self.foreign, self.threads = {}, {}, set(), False
        for words in (line.split() for line in pathlib.Path(path).read_text().splitlines()):
            if words[0] == "total":
                self.totals[words[1]] = int(words[2])
            elif words[0] == "line":
                self.lines[words[1]] = dict(zip(self.LINE_FIELDS, map(int, words[2:])))
            elif words[0] == "foreign":
                self.foreign.add(words[1])
            elif words[0] == "threads":
                self.threads = True
        if not self.totals:
            raise AssertionError(f"{path}: the fixture wrote no ledger")


class TestCase(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="heaptally-test-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.images = self.directory / "images"
        self.images.mkdir(mode=0o700)

    # ---- running ----

    def environment(self, **variables):
        """That of the test, without what would make two runs differ, with our own directories."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("HEAPTALLY_", "LD_"))}
        environment.update(LC_ALL="C", LEDGER_DIR=str(self.directory), HEAPTALLY_DIR=str(self.images),
                           HEAPTALLY_OUT=str(self.directory / "%p.%n.hts"))
        environment.update({k: str(v) for k, v in variables.items()})
        return environment

    def run_program(self, command, traced=True, check=0, environment=None, **arguments):
        """Runs a command, with the library preloaded or without; returns the completed process."""
        environment = dict(environment or self.environment())
        if traced:
            environment["LD_PRELOAD"] = LIBRARY
        done = subprocess.run([str(word) for word in command], env=environment, timeout=600,
                              **{"capture_output": True, **arguments})
        if check is not None:
            self.assertEqual(done.returncode, check, f"{command}: {done.stdout!r} {done.stderr!r}")
        return done

    def start_program(self, command, environment=None, ready=b"ready\n", **arguments):
        """Starts a traced command, waits until it says that it is ready, and returns its Popen."""
        environment = dict(environment or self.environment(), LD_PRELOAD=LIBRARY)
        process = subprocess.Popen([str(word) for word in command], env=environment, stdout=subprocess.PIPE,
                                   **arguments)
        self.addCleanup(self.end, process)
        self.wait_for_output(process, ready)
        return process

    def wait_for_output(self, process, expected):
        self.assertTrue(select.select([process.stdout], [], [], PATIENCE_SECONDS)[0], "no output")
        self.assertEqual(process.stdout.readline(), expected)

    def end(self, process):
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()

    def heaptally(self, *words, check=0, environment=None, **arguments):
        """Runs the command; returns the completed process with its output as text."""
        done = subprocess.run([COMMAND, *map(str, words)], env=environment or self.environment(), text=True,
                              timeout=300, **{"capture_output": True, **arguments})
        if check is not None:
            self.assertEqual(done.returncode, check, f"heaptally {words}: {done.stdout} {done.stderr}")
        return done

    # ---- reading ----

    def top(self, source, *options):
        return json.loads(self.heaptally("top", source, "--json", "-n", "0", *options).stdout)

    def json_of(self, command, *words):
        return json.loads(self.heaptally(command, "--json", *words).stdout)

    def snapshots(self):
        return sorted(self.directory.glob("*.hts"))

    def image_files(self):
        return sorted(self.images.glob("*.htimage"))

    def only(self, paths):
        paths = list(paths)
        self.assertEqual(len(paths), 1, paths)
        return paths[0]

    # ---- comparing ----

    def assert_matches_ledger(self, source, ledger, options=("--raw",), losses=()):
        """Totals and every line of the ledger equal those of the snapshot; all else is of foreign modules.
        C++ programs are compared without --raw: their newest frame is in libstdc++'s operator new."""
        if not isinstance(ledger, Ledger):
            ledger = Ledger(ledger)
        found = self.compare_lines(source, ledger, options)
        for name in ("live_bytes", "live_blocks", "allocated_bytes", "allocations", "frees"):
            with self.subTest(total=name):
                self.assertEqual(found["totals"][name] - found["foreign"].get(name, 0), ledger.totals[name])
        self.assertEqual({k: v for k, v in found["losses"].items() if v and k not in losses}, {})
        return found

    METRICS = {"live": ("live_blocks", "live_bytes"), "total": ("allocations", "allocated_bytes"),
               "peak": ("peak_blocks", "peak_bytes")}

    def compare_lines(self, source, ledger, options):
        foreign = {}
        for metric, (count, size) in self.METRICS.items():
            report = self.top(source, *options, "--metric", metric)
            own, strangers = self.split_rows(report["rows"], ledger)
            self.assertLessEqual({row["module"] for row in strangers}, ledger.foreign, strangers)
            foreign[count] = sum(row["count"] for row in strangers)
            foreign[size] = sum(row["size"] for row in strangers)
            if metric != "peak" or not ledger.threads:
                expected = {line: (fields[count], fields[size]) for line, fields in ledger.lines.items()}
                with self.subTest(metric=metric):
                    self.assertEqual(own, {k: v for k, v in expected.items() if v != (0, 0)})
            if metric == "peak":
                self.compare_peak(report, ledger, foreign)
        foreign["frees"] = foreign["allocations"] - foreign["live_blocks"]
        return {**report, "foreign": foreign}

    # What threads of a fixture have done and not yet written down, or the reverse, at one moment. 128 KiB are what the
    # tracer's threads hold back, and the single blocks of fixtures are small beside it.
    IN_FLIGHT_BYTES = 0

    def compare_peak(self, report, ledger, foreign):
        """Foreign blocks may shift the peak of a program with threads, and what threads hold back may too."""
        peak = report["totals"]["peak_bytes"]
        self.assertEqual(peak, sum(row["size"] for row in report["rows"]))
        if ledger.threads:
            slack = 2 * 64 * 1024 + foreign["peak_bytes"] + self.IN_FLIGHT_BYTES
            self.assertLessEqual(abs(peak - ledger.totals["peak_bytes"]), slack)
        else:
            self.assertEqual(peak - foreign["peak_bytes"], ledger.totals["peak_bytes"])

    @staticmethod
    def split_rows(rows, ledger):
        """Rows of the ledger's files as {file:line: (count, size)}, and the others."""
        files = {line.rsplit(":", 1)[0] for line in ledger.lines}
        own, strangers = {}, []
        for row in rows:
            name = os.path.basename(row["file"] or "")
            if name in files:
                own[f"{name}:{row['line']}"] = (row["count"], row["size"])
            elif row["count"] or row["size"]:
                row["module"] = os.path.basename(row["module"] or "")
                strangers.append(row)
        return {k: v for k, v in own.items() if v != (0, 0)}, strangers


def main():
    unittest.main(argv=sys.argv, verbosity=2)
