"""Processes that fork, become others and end in every way: each has its own truth."""

import signal
import unittest

from heaptally_test import PROGRAMS, Ledger, TestCase, main


class ForkTest(TestCase):
    def assert_each_process_matches(self, count):
        ledgers = sorted(self.directory.glob("*.ledger"))
        self.assertEqual(len(ledgers), count)
        for ledger in ledgers:
            with self.subTest(process=ledger.stem):
                self.assert_matches_ledger(self.directory / f"{ledger.stem}.1.hts", ledger)
        self.assertEqual((len(self.snapshots()), self.image_files()), (count, []))

    def test_child_frees_what_it_inherited(self):
        self.run_program([PROGRAMS / "fork_child"])
        self.assert_each_process_matches(2)

    def test_child_of_a_threaded_program(self):
        self.run_program([PROGRAMS / "fork_child", "threads"])
        self.assert_each_process_matches(2)

    def test_children_of_children(self):
        self.run_program([PROGRAMS / "fork_tree"])
        self.assert_each_process_matches(5)

    def test_child_is_not_followed_if_not_wanted(self):
        self.run_program([PROGRAMS / "fork_child"], environment=self.environment(HEAPTALLY_FOLLOW=0))
        self.assertEqual(len(self.snapshots()), 1)
        ledgers = {path.stem: Ledger(path) for path in self.directory.glob("*.ledger")}
        parent = ledgers[self.snapshots()[0].name.split(".")[0]]
        self.assertEqual(parent.totals["frees"], 2)
        self.assert_matches_ledger(self.snapshots()[0], parent)


class ChildrenTest(TestCase):
    """A parent that starts another fixture; both are traced, the parent's blocks are its own."""

    def check(self, how):
        self.run_program([PROGRAMS / "children", how, PROGRAMS / "calloc"])
        ledgers = sorted(self.directory.glob("*.ledger"))
        self.assertEqual(len(ledgers), 2)
        for ledger in ledgers:
            with self.subTest(process=ledger.stem):
                self.assert_matches_ledger(self.directory / f"{ledger.stem}.1.hts", ledger)
        self.assertEqual(len(self.snapshots()), 2)

    def test_fork_and_exec(self):
        self.check("fork")

    def test_vfork_and_exec(self):
        self.check("vfork")

    def test_posix_spawn(self):
        self.check("spawn")

    def test_exec_is_traced_anew(self):
        self.run_program([PROGRAMS / "become", PROGRAMS / "calloc"])
        ledger = self.only(self.directory.glob("*.ledger"))
        self.assert_matches_ledger(self.only(self.snapshots()), ledger)

    def test_exec_under_run(self):
        """`run` saves what the process was before the exec as well: from its image."""
        done = self.heaptally("run", "--", PROGRAMS / "become", PROGRAMS / "calloc")
        ledger = Ledger(self.only(self.directory.glob("*.ledger")))
        totals = [self.top(path)["totals"] for path in self.snapshots()]
        self.assertEqual(sorted(t["live_bytes"] for t in totals), sorted([12345, ledger.totals["live_bytes"]]),
                         done.stderr)


class ExitTest(TestCase):
    """Ways to end: by exit() the library writes the snapshot, by the others the image is what remains."""

    def trace(self, way, status):
        self.run_program([PROGRAMS / "exit_ways", way], check=status)
        return self.only(self.directory.glob("*.ledger"))

    def check_snapshot(self, way, status=5):
        ledger = self.trace(way, status)
        self.assertEqual(self.image_files(), [])
        self.assert_matches_ledger(self.only(self.snapshots()), ledger)

    def check_image(self, way, status=5):
        ledger = self.trace(way, status)
        self.assertEqual(self.snapshots(), [])
        self.assert_matches_ledger(self.only(self.image_files()), ledger)

    def check_run(self, way, status):
        done = self.heaptally("run", "--", PROGRAMS / "exit_ways", way, check=status)
        self.assert_matches_ledger(self.only(self.snapshots()), self.only(self.directory.glob("*.ledger")))
        self.assertEqual(self.image_files(), [])
        return done.stderr

    def test_return_from_main(self):
        self.check_snapshot("return")

    def test_exit(self):
        self.check_snapshot("exit")

    def test_exit_from_a_thread(self):
        self.check_snapshot("thread")

    def test_last_thread_outlives_main(self):
        self.check_snapshot("main_thread", 0)

    def test__exit(self):
        self.check_image("_exit")

    def test_quick_exit(self):
        self.check_image("quick_exit")

    def test_abort(self):
        self.check_image("abort", -signal.SIGABRT)

    def test_segmentation_fault(self):
        self.check_image("segv", -signal.SIGSEGV)

    def test_kill(self):
        self.check_image("kill", -signal.SIGKILL)

    def test_run_of_each(self):
        for way, status in (("return", 5), ("_exit", 5), ("quick_exit", 5), ("abort", 128 + signal.SIGABRT),
                            ("segv", 128 + signal.SIGSEGV), ("kill", 128 + signal.SIGKILL)):
            with self.subTest(way=way):
                self.setUp()
                said = self.check_run(way, status)
                self.assertEqual("killed" in said.lower() or "signal" in said.lower(), status > 128, said)


class PluginTest(TestCase):
    def test_two_libraries_at_one_address(self):
        plugins = [PROGRAMS / f"libplugin_{name}.so" for name in ("one", "two")]
        done = self.run_program([PROGRAMS / "plugins", *plugins])
        addresses = done.stdout.split()
        self.assertEqual(addresses[0], addresses[1], "the loader has put them at one address, as this test needs")
        # One source file made both, so only their modules tell them apart.
        rows = self.top(self.only(self.snapshots()), "-k", "module", "--cumulative")["rows"]
        found = {(row["size"], row["module"].rsplit("/", 1)[-1]) for row in rows if "libplugin" in row["module"]}
        self.assertEqual(found, {(1010, "libplugin_one.so"), (2010, "libplugin_two.so")})


main()
