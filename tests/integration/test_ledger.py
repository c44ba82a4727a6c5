"""test_ledger.py FIXTURE: what the tracer found in a fixture program is what the program's own ledger says."""

import sys

from heaptally_test import PROGRAMS, SOURCES, Ledger, TestCase, main

FIXTURE = sys.argv.pop(1)
OPTIONS = ("--raw",) if (SOURCES / f"{FIXTURE}.c").exists() else ()


class LedgerTest(TestCase):
    def trace(self, **variables):
        done = self.run_program([PROGRAMS / FIXTURE], check=None, environment=self.environment(**variables))
        if done.returncode == 77:
            self.skipTest("the kernel refuses what the fixture needs")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(self.image_files(), [], "the image of a clean exit is removed")
        return self.only(self.snapshots()), Ledger(self.only(self.directory.glob("*.ledger")))

    def test_default(self):
        self.assert_matches_ledger(*self.trace(), OPTIONS)

    def test_gcc_unwinder(self):
        self.assert_matches_ledger(*self.trace(HEAPTALLY_UNWINDER="gcc"), OPTIONS)

    def test_libunwind(self):
        """The loader allocates the thread-local storage of libunwind.so when a thread first unwinds."""
        snapshot, ledger = self.trace(HEAPTALLY_UNWINDER="libunwind")
        ledger.foreign.add("[unattributed]")
        self.assert_matches_ledger(snapshot, ledger, OPTIONS)

    def test_one_frame(self):
        """With a limit of one frame only the newest is known, which names no line of ours in C++."""
        snapshot, ledger = self.trace(HEAPTALLY_NFRAME="1")
        if OPTIONS:
            self.assert_matches_ledger(snapshot, ledger, OPTIONS)
        else:
            self.assertLessEqual(ledger.totals["allocations"], self.top(snapshot)["totals"]["allocations"])

    def test_little_memory(self):
        """One mebibyte of tables is enough for a small program."""
        self.assert_matches_ledger(*self.trace(HEAPTALLY_MEMORY="1M"), OPTIONS)


main()
