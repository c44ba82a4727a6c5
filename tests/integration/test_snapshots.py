"""Snapshots on a signal, by the API and from outside; their names; and programs with plans of their own for signals."""

import os
import signal

from heaptally_test import PROGRAMS, TestCase, main, wait_until


class SignalTest(TestCase):
    def test_two_signals_and_an_exit(self):
        process = self.start_program([PROGRAMS / "endless", "idle"])
        for number in (1, 2):
            process.send_signal(signal.SIGUSR2)
            wait_until(lambda: len(self.snapshots()) == number, "a snapshot on a signal")
            snapshot = self.directory / f"{process.pid}.{number}.hts"
            self.assert_matches_ledger(snapshot, self.directory / f"{process.pid}.ready.ledger")
        self.assertIsNone(process.poll())

    def test_signal_while_threads_of_the_program_allocate(self):
        process = self.start_program([PROGRAMS / "endless"])
        for number in range(1, 21):
            process.send_signal(signal.SIGUSR2)
            wait_until(lambda: len(self.snapshots()) == number, "a snapshot on a signal")
        for path in self.snapshots():
            report = self.top(path, "--raw")
            own = {row["line"]: row["count"] for row in report["rows"]}
            self.assertIn(500, own.values())
            self.assertEqual(report["totals"]["live_bytes"], sum(row["size"] for row in report["rows"]))

    def test_another_signal(self):
        process = self.start_program([PROGRAMS / "endless", "idle"],
                                     environment=self.environment(HEAPTALLY_SIGNAL="USR1"))
        process.send_signal(signal.SIGUSR1)
        wait_until(self.snapshots, "a snapshot on SIGUSR1")

    def test_no_signal(self):
        process = self.start_program([PROGRAMS / "endless", "idle"],
                                     environment=self.environment(HEAPTALLY_SIGNAL="none"))
        process.send_signal(signal.SIGUSR2)
        self.assertEqual(process.wait(), -signal.SIGUSR2)
        self.assertEqual(self.snapshots(), [])


class ProgramsOwnSignalTest(TestCase):
    """What a program does about SIGUSR2 stays as it would be untraced, but for the default action."""

    def check(self, plan, by_signal):
        untraced = self.run_program([PROGRAMS / "own_handler", plan], traced=False, check=None)
        traced = self.run_program([PROGRAMS / "own_handler", plan], check=None)
        if plan != "default":
            self.assertEqual((traced.returncode, traced.stdout), (untraced.returncode, untraced.stdout))
        self.assertEqual(len(self.snapshots()), by_signal + 1)
        return traced

    def test_handler_set_before_the_first_allocation(self):
        self.assertEqual(self.check("early", 0).stdout, b"handled\nsurvived\n")

    def test_handler_set_later(self):
        self.assertEqual(self.check("late", 0).stdout, b"handled\nsurvived\n")

    def test_ignored(self):
        self.assertEqual(self.check("ignore", 0).stdout, b"survived\n")

    def test_blocked(self):
        self.assertEqual(self.check("blocked", 0).stdout, b"survived\n")

    def test_default_action_becomes_a_snapshot(self):
        self.assertEqual(self.check("default", 1).stdout, b"survived\n")

    def test_ignored_by_the_parent(self):
        """A disposition that was inherited as `ignore` is not the default: it stays."""
        inherit = lambda: signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        done = self.run_program([PROGRAMS / "own_handler", "default"], preexec_fn=inherit)
        self.assertEqual((done.stdout, len(self.snapshots())), (b"survived\n", 1))


class ApiTest(TestCase):
    def test_labels_numbers_and_errno(self):
        environment = self.environment(HEAPTALLY_OUT=self.directory / "%e-%p-%n-%l.hts")
        done = self.run_program([PROGRAMS / "asks_snapshots"], environment=environment)
        self.assertEqual(done.stdout, b"start 1\nerrno 77\ntwo words/and a slash 2\nerrno 77\n")
        paths = {path.name.split("-")[2]: path for path in self.snapshots()}
        self.assertEqual(sorted(paths), ["1", "2", "3", "4"])
        pid = paths["1"].name.split("-")[1]
        self.assertEqual(paths["1"].name, f"asks_snapshots-{pid}-1-start.hts")
        self.assertNotIn("/", paths["2"].name)
        for number in ("1", "2", "3"):
            self.assert_matches_ledger(paths[number], self.directory / f"{pid}.{number}.ledger")
        self.assert_matches_ledger(paths["4"], self.directory / f"{pid}.ledger")

    def test_untraced_program_can_ask(self):
        done = self.run_program([PROGRAMS / "asks_snapshots"], traced=False)
        self.assertEqual(done.stdout, b"untraced 0\n")

    def test_difference_of_two(self):
        self.run_program([PROGRAMS / "asks_snapshots"])
        old, new = self.snapshots()[:2]
        rows = self.heaptally("diff", old, new, "--raw", "--bare").stdout.splitlines()
        self.assertRegex(rows[0], r"asks_snapshots\.c:\d+: size=3000 B \(\+3000 B\), count=1 \(\+1\), average=3000 B$")
        self.assertRegex(rows[1], r"asks_snapshots\.c:\d+: size=1000 B \(\+0 B\), count=1 \(\+0\), average=1000 B$")


class OutsideTest(TestCase):
    def setUp(self):
        super().setUp()
        self.process = self.start_program([PROGRAMS / "endless", "idle"])
        self.ledger = self.directory / f"{self.process.pid}.ready.ledger"

    def test_snapshot_of_a_process(self):
        out = self.directory / "outside.hts"
        self.heaptally("snapshot", self.process.pid, "-o", out)
        self.assert_matches_ledger(out, self.ledger)
        self.assertIsNone(self.process.poll())

    def test_stopped_process(self):
        """No cooperation is needed."""
        self.process.send_signal(signal.SIGSTOP)
        out = self.directory / "stopped.hts"
        self.heaptally("snapshot", self.process.pid, "-o", out)
        self.assert_matches_ledger(out, self.ledger)

    def test_top_of_a_pid_and_of_its_image(self):
        self.assert_matches_ledger(str(self.process.pid), self.ledger)
        self.assert_matches_ledger(self.only(self.image_files()), self.ledger)

    def test_image_and_snapshot_are_private(self):
        self.heaptally("snapshot", self.process.pid, "-o", self.directory / "outside.hts")
        self.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: len(self.snapshots()) == 2, "a snapshot on a signal")
        for path in self.snapshots() + self.image_files():
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600, path)


class OutputTest(TestCase):
    def test_never_overwrites(self):
        out = self.directory / "fixed.hts"
        out.write_text("precious")
        self.run_program([PROGRAMS / "calloc"], environment=self.environment(HEAPTALLY_OUT=out))
        self.assertEqual(out.read_text(), "precious")

    def test_overwrites_if_told_to(self):
        out = self.directory / "fixed.hts"
        out.write_text("old")
        self.run_program([PROGRAMS / "calloc"],
                         environment=self.environment(HEAPTALLY_OUT=out, HEAPTALLY_OVERWRITE=1))
        self.assert_matches_ledger(out, self.only(self.directory.glob("*.ledger")))

    def test_default_name(self):
        environment = self.environment()
        del environment["HEAPTALLY_OUT"]
        self.run_program([PROGRAMS / "calloc"], environment=environment, cwd=self.directory)
        self.assertRegex(self.only(self.snapshots()).name, r"^heaptally\.calloc\.\d+\.1\.hts$")

    def test_percent_sign(self):
        environment = self.environment(HEAPTALLY_OUT=self.directory / "100%%-%n.hts")
        self.run_program([PROGRAMS / "calloc"], environment=environment)
        self.assertEqual(self.only(self.snapshots()).name, "100%-1.hts")

    def test_nowhere_to_write(self):
        """The program is unaffected, the image stays, and holds the answer."""
        environment = self.environment(HEAPTALLY_OUT="/proc/nowhere/%p.hts")
        done = self.run_program([PROGRAMS / "calloc"], environment=environment)
        self.assertEqual(done.stdout, b"")
        image = self.only(self.image_files())
        self.assert_matches_ledger(image, self.only(self.directory.glob("*.ledger")), losses={"snapshots"})

    def test_nowhere_for_the_image(self):
        """Without a file the tables are in memory alone: the snapshot at exit is whole, and says so."""
        environment = self.environment(HEAPTALLY_DIR="/proc/nowhere")
        self.run_program([PROGRAMS / "calloc"], environment=environment)
        snapshot = self.only(self.snapshots())
        report = self.assert_matches_ledger(snapshot, self.only(self.directory.glob("*.ledger")),
                                            losses={"no_file"})
        self.assertEqual(report["losses"]["no_file"], 1)


main()
