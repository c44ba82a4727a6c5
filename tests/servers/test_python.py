"""test_python.py MODULE: tests of python's own test package (libpython3.11-testsuite), plain and traced: the same verdict for
every single one. All allocations of python go through malloc, so that the tracer sees them.

HEAPTALLY_TEST_LONG=1 runs whole modules, otherwise those below whose names contain one of the words, if there are any. A
test that depends on time and fails in one of the runs alone is run again by itself, at most twice: then it must pass in
both."""

import os
import pathlib
import subprocess
import sys

from server_test import ServerTest, end_all, find, main

MODULE = sys.argv.pop(1)
LONG = os.environ.get("HEAPTALLY_TEST_LONG") == "1"
WORDS = {
    "test_fork1": ["fork"],
    "test_mmap": ["MmapTests"],
    "test_gc": [],
    "test_tracemalloc": [],
    "test_signal": ["StressTest", "PosixTests", "WakeupSocketSignalTests", "PendingSignalsTests.test_sigwait",
                    "PendingSignalsTests.test_pthread", "ItimerTest.test_itimer_real", "RaiseSignalTest"],
    "test_threading": ["ThreadTests", "ThreadJoinOnShutdown", "SubinterpThreadingTests", "AtexitTests", "ConditionTests"],
    "test_subprocess": ["POSIXProcessTestCase", "ContextManagerTests", "MiscTests"],
    "test_multiprocessing_fork": ["WithProcessesTestPool.", "WithProcessesTestQueue", "WithProcessesTestHeap",
                                  "WithProcessesTestSharedMemory", "WithProcessesTestBarrier", "WithProcessesTestConnection",
                                  "WithManagerTestPool.", "TestForkAwareThreadLock", "TestNoForkBomb", "TestCloseFds"],
}
PATIENCE_SECONDS = 1500 if LONG else 500
SNAPSHOTS_READ = 24


class PythonTest(ServerTest):
    program = find("/usr/bin/python3", "python3")

    def setUp(self):
        super().setUp()
        if not LONG and not WORDS[MODULE]:
            self.skipTest("only with HEAPTALLY_TEST_LONG=1")
        if subprocess.run([self.program, "-c", f"import test.{MODULE}"], capture_output=True).returncode != 0:
            self.skipTest(f"{self.program} has no test package")
        self.snapshots_left = self.directory / "left"
        self.snapshots_left.mkdir()

    def begin(self, traced, run, *patterns):
        """The process that runs the tests, in a directory of its own, and the file of verdicts."""
        place = self.directory / f"{run} {'traced' if traced else 'plain'}"
        place.mkdir()
        environment = self.environment(PYTHONMALLOC="malloc", TMPDIR=place, HEAPTALLY_OUT=self.snapshots_left / "%p.%n.hts",
                                       HEAPTALLY_DIR=self.images, **({"LD_PRELOAD": self.library} if traced else {}))
        with open(place / "output", "wb") as output:
            process = subprocess.Popen([self.program, pathlib.Path(__file__).with_name("verdicts.py"), place / "verdicts", MODULE,
                                        *patterns], cwd=place, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                                       stderr=output, start_new_session=True)
        return process, place

    def verdicts(self, begun):
        process, place = begun
        self.assertEqual(process.wait(timeout=PATIENCE_SECONDS), 0, (place / "output").read_text(errors="replace")[-3000:])
        found = {}
        for verdict, _, name in (line.split(maxsplit=2) for line in (place / "verdicts").read_text().splitlines()):
            found.setdefault(name, []).append(verdict)
        return found

    def both(self, run, *patterns):
        """Plain and traced at the same time: most tests wait for most of their time."""
        begun = [self.begin(traced, run, *patterns) for traced in (False, True)]
        return [self.verdicts(one) for one in begun], begun[1][0].pid

    def test_same_verdicts(self):
        (plain, traced), pid = self.both("all", *([] if LONG else WORDS[MODULE]))
        self.assertGreater(sum(verdicts == ["ok"] for verdicts in plain.values()), 3, plain)
        self.assertEqual(sorted(traced), sorted(plain))
        differing = [name for name in plain if plain[name] != traced[name]]
        for name in differing:
            print(f"{name}: plain {plain[name]}, traced {traced[name]}", file=sys.stderr)
        self.assertEqual([name for name in differing if not self.passes_alone(name)], [])
        self.look(pid)
        print(f"{len(plain)} tests, {sum(verdicts == ['ok'] for verdicts in plain.values())} pass, {len(differing)} run again",
              file=sys.stderr)

    def passes_alone(self, name):
        for run in range(2):
            verdicts, _ = self.both(f"{name} {run}", name)
            if all(one.get(name) == ["ok"] for one in verdicts):
                return True
        return False

    def look(self, pid):
        """The tests' own process lost nothing; what the programs that they started have left can be read."""
        end_all()  # some tests leave a child that sleeps
        own = self.info(self.snapshots_left / f"{pid}.1.hts")
        self.assertGreater(own["totals"]["allocations"], 100_000)
        self.assertEqual(own["snapshot"]["trigger"], "exit")
        for path in sorted(self.snapshots_left.glob("*.hts"))[:SNAPSHOTS_READ]:
            self.heaptally("info", path)
        for path in self.image_files()[:SNAPSHOTS_READ]:  # a worker may have been killed before it had copied its parent's
            done = self.heaptally("info", path, check=None)
            self.assertTrue(done.returncode == 0 or "never finished" in done.stderr, done.stderr)


main()
