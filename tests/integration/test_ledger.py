"""test_ledger.py FIXTURE: what the tracer found in a fixture program is what the program's own ledger says."""

import sys

from heaptally_test import PROGRAMS, TestCase, main

FIXTURE = sys.argv.pop(1)


class LedgerTest(TestCase):
    def test_totals_and_lines(self):
        done = self.run_program([PROGRAMS / FIXTURE], check=None)
        if done.returncode == 77:
            self.skipTest("the kernel refuses what the fixture needs")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assert_matches_ledger(self.only(self.snapshots()), self.only(self.directory.glob("*.ledger")))
        self.assertEqual(self.image_files(), [], "the image of a clean exit is removed")

    def test_unwinder_libunwind(self):
        done = self.run_program([PROGRAMS / FIXTURE], check=None,
                                environment=self.environment(HEAPTALLY_UNWINDER="libunwind"))
        if done.returncode == 77:
            self.skipTest("the kernel refuses what the fixture needs")
        self.assert_matches_ledger(self.only(self.snapshots()), self.only(self.directory.glob("*.ledger")))


main()
