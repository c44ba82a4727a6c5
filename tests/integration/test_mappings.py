"""The domain of mappings: the ledger is exact, and off it is not there."""

from heaptally_test import PROGRAMS, Ledger, TestCase, main

SEEDS = 6


class MappingsTest(TestCase):
    def trace(self, *words, **variables):
        return self.run_program([PROGRAMS / "mappings", *words],
                                environment=self.environment(HEAPTALLY_MMAP=1, **variables))

    def assert_each_process_matches(self, count):
        ledgers = sorted(self.directory.glob("*.ledger"))
        self.assertEqual(len(ledgers), count)
        for ledger in ledgers:
            self.assert_matches_ledger(self.directory / f"{ledger.stem}.1.hts", ledger)

    def test_random(self):
        for seed in range(SEEDS):
            with self.subTest(seed=seed):
                self.trace(seed)
                ledger = Ledger(self.only(self.directory.glob("*.ledger")))
                self.assertGreater(ledger.totals["frees"], 500)
                self.assert_each_process_matches(1)
                for path in [*self.directory.glob("*.ledger"), *self.snapshots()]:
                    path.unlink()

    def test_threads(self):
        self.trace(1, "threads")
        self.assert_each_process_matches(1)

    def test_forked_child(self):
        self.trace(1, "fork")
        self.assert_each_process_matches(2)

    def test_off(self):
        self.run_program([PROGRAMS / "mappings", "1"])
        self.assertEqual(self.top(self.only(self.snapshots()))["rows"], [])


main()
