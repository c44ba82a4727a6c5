"""test_faults.py PLUGIN: every call that the tracer makes to the kernel fails once, and everything fails from each on.

The program does as it does without the tracer. What the tracer then says is complete, or says that it is not, or
there is nothing that could say anything.
"""

import json
import pathlib
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
from heaptally_test import LIBRARY, PROGRAMS, TestCase, main  # noqa: E402

PLUGIN = sys.argv.pop(1)
WATCHDOG_SECONDS = 30
EXPECTED = (0, b"unharmed\n", b"")
COUNTED = ("allocations", "allocated_bytes", "frees", "live_blocks", "live_bytes")


class FaultTest(TestCase):
    def run_victim(self, at=0, from_=0):
        """Runs the victim with these faults; returns how many calls there were, and how it ended."""
        for path in [*self.directory.glob("*.hts*"), *self.images.glob("*"), *self.directory.glob("*.ledger")]:
            path.unlink()
        plan = self.directory / "plan"
        plan.write_bytes(struct.pack("=3Q", 0, at, from_))
        done = subprocess.run([PROGRAMS / "victim", PLUGIN], timeout=WATCHDOG_SECONDS, capture_output=True,
                              env=self.environment(LD_PRELOAD=LIBRARY, FAULT_COUNT=plan))
        return struct.unpack("=3Q", plan.read_bytes())[0], (done.returncode, done.stdout, done.stderr)

    def parent_says(self):
        """The totals of the victim, and the names of its losses; None when it left nothing to be read."""
        pid = self.only(self.directory.glob("*.ledger")).stem
        numbered = sorted(self.directory.glob(f"{pid}.*.hts"))
        left = numbered[-1:] if len(numbered) == 2 else list(self.images.glob(f"{pid}.*")) or numbered
        if not left:
            return None
        done = self.heaptally("top", left[-1], "--json", "-n", "0", check=None)
        if done.returncode != 0:  # a file that could be neither finished nor removed
            self.assertIn("never finished", done.stderr)
            return None
        report = json.loads(done.stdout)
        return ({name: report["totals"][name] for name in COUNTED},
                {name for name, value in report["losses"].items() if value})

    def sweep(self, argument):
        calls, ended = self.run_victim()
        whole, losses = self.parent_says()
        self.assertEqual((ended, losses), (EXPECTED, set()))
        self.assertGreater(calls, 100)
        harmed, silent, lossy, nothing = [], [], 0, 0
        for call in range(1, calls + 1):
            ended = self.run_victim(**{argument: call})[1]
            if ended != EXPECTED:
                harmed.append((call, ended))
                continue
            said = self.parent_says()
            if said is None:
                nothing += 1
            elif said[1]:
                lossy += 1
            elif said[0] != whole:
                silent.append((call, said[0]))
        print(f"{calls} calls of the tracer failed ({argument}): {lossy} reports of losses, {nothing} without a file, "
              f"{len(silent)} silent, {len(harmed)} harmed")
        self.assertEqual((harmed, silent), ([], []))

    def test_each_call_once(self):
        self.sweep("at")

    def test_everything_from_each_call_on(self):
        self.sweep("from_")


main()
