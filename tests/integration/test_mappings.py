"""The domain of mappings: the ledger is exact; off it is not there and costs nothing to speak of."""

import re

from heaptally_test import PROGRAMS, Ledger, TestCase, main

SEEDS = 6
BRANCHES = 30  # instructions that the pass-through of an mmap and a munmap may have
PYTHON = "x = [[str(i)] for i in range(50000)]; y = bytearray(3 << 20); print(len(x))"


class MappingsTest(TestCase):
    IN_FLIGHT_BYTES = 4 * 40 * 4096  # four threads, of each one call, of at most 40 pages

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

    def test_unwinders(self):
        """libunwind maps memory of its own while it walks."""
        for unwinder in ("libunwind", "gcc"):
            with self.subTest(unwinder=unwinder):
                self.trace(1, HEAPTALLY_UNWINDER=unwinder)
                path = self.only(self.directory.glob("*.ledger"))
                ledger = Ledger(path)
                ledger.foreign.add("[unattributed]")  # the loader's, for the thread-local storage of libunwind.so
                self.assert_matches_ledger(self.only(self.snapshots()), ledger)
                rows = self.top(self.only(self.snapshots()), "--metric", "total", "--raw", "-k", "module,domain")["rows"]
                self.assertEqual({row["module"].rsplit("/")[-1] for row in rows if row["domain"] == 1}, {"mappings"})
                for path in [path, *self.snapshots()]:
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

    def instructions_of_a_pair(self, traced):
        """Of mmap and munmap of a page, by callgrind."""
        counts = []
        for pairs in (1000, 3000):
            done = self.run_program(["valgrind", "--tool=callgrind", f"--callgrind-out-file={self.directory}/out",
                                     PROGRAMS / "map_pairs", pairs], traced=traced)
            counts.append(int(re.search(rb"Collected : (\d+)", done.stderr).group(1)))
        return (counts[1] - counts[0]) / 2000

    def test_off_costs_branches(self):
        plain, traced = self.instructions_of_a_pair(False), self.instructions_of_a_pair(True)
        print(f"a pair of mmap and munmap: {plain:.1f} instructions, off {traced - plain:+.1f}")
        self.assertLess(traced - plain, BRANCHES)

    def test_python_runs_the_same(self):
        command = ["/usr/bin/python3", "-I", "-S", "-c", PYTHON]
        plain = self.run_program(command, traced=False)
        done = self.run_program(command, environment=self.environment(HEAPTALLY_MMAP=1))
        self.assertEqual((done.stdout, done.stderr), (plain.stdout, plain.stderr))
        path = self.only(self.snapshots())
        domains = {row["domain"]: row for row in self.top(path, "-k", "domain", "--metric", "total")["rows"]}
        self.assertEqual(set(domains), {0, 1})
        arenas = self.top(path, "--raw", "--metric", "total", "--domain", "mmap")["rows"]
        self.assertEqual([row for row in arenas if row["size"] % 4096 != 0], [])
        self.assertGreater(sum(row["size"] for row in arenas if "python" in row["module"]), 50000 * 50)

    def test_scopes_clearing_and_stopping(self):
        self.run_program([PROGRAMS / "mappings_told"], environment=self.environment(HEAPTALLY_MMAP=1))
        self.assertEqual({k: v for k, v in self.top(self.only(self.snapshots()))["losses"].items() if v}, {})

    def test_sampled_blocks_leave_mappings_exact(self):
        self.trace(1, HEAPTALLY_SAMPLE="1M")
        report = self.top(self.only(self.snapshots()), "--raw", "--domain", "mmap")
        rows, strangers = self.split_rows(report["rows"], ledger := Ledger(self.only(self.directory.glob("*.ledger"))))
        self.assertEqual(strangers, [])
        self.assertEqual(rows, {line: (fields["live_blocks"], fields["live_bytes"]) for line, fields
                                in ledger.lines.items() if fields["live_blocks"]})
        self.assertEqual({row["size_error"] for row in report["rows"]}, {0})

    def test_mappings_of_malloc_are_not_counted_twice(self):
        """Large blocks are mappings of libc's own, and it moves the break."""
        self.trace(1, "malloc")
        self.assert_each_process_matches(1)
        heap = self.top(self.only(self.snapshots()), "--raw", "--metric", "total", "--domain", "heap")
        self.assertEqual((sum(row["count"] for row in heap["rows"]), sum(row["size"] for row in heap["rows"])),
                         (4, 100000 + 3000000 + 9000000 + 2000000))

    def test_domains_have_names(self):
        out = self.directory / "named.hts"
        self.heaptally("run", "--mmap", "-o", out, "--", PROGRAMS / "mappings", "1")
        everything = self.only(self.top(out, "-k", "domain")["rows"])
        self.assertEqual((everything["domain"], everything["domain_name"]), (1, "mmap"))
        self.assertIn("domain mmap: size=", self.heaptally("top", out, "-k", "domain").stdout)
        for options, count in ((("--domain", 1), 1), (("--domain", "mmap"), 1), (("--domain", "heap"), 0),
                               (("--exclude-domain", "mmap"), 0), (("--exclude-domain", "heap"), 1)):
            with self.subTest(options=options):
                self.assertEqual(len(self.top(out, "-k", "domain", *options)["rows"]), count)


main()
