"""heaptally.h: what a C program, a C++ program and a program without the library are told, as CPython's
test_tracemalloc has it; and stop racing track."""

import json
import re

from heaptally_test import PROGRAMS, SOURCES, TestCase, main

PARTS = re.findall(r"PART\((\w+)\)", (SOURCES / "talks.c").read_text().split("#define PART(name)")[1])
RACE_SECONDS = 10


class PartsTest(TestCase):
    """Each part of programs/talks.c asserts what it is told."""

    def talk(self, part, program="talks", **variables):
        done = self.run_program([PROGRAMS / program, part], traced=part != "absent", check=None,
                                environment=self.environment(**variables) if part != "absent" else None)
        self.assertEqual((done.returncode, done.stderr), (0, b""), f"{program} {part}")
        return done

    def info(self, source):
        return json.loads(self.heaptally("info", source, "--json").stdout)

    def test_all_parts_are_known(self):
        for part in PARTS:
            self.assertTrue(part == "reported" or hasattr(self, f"test_{part}"), part)
        self.assertEqual(self.run_program([PROGRAMS / "talks", "nonsense"], traced=False, check=None).returncode, 2)

    def test_absent(self):
        self.talk("absent")

    def test_get_traced_memory(self):
        self.talk("get_traced_memory")

    def test_reset_peak(self):
        self.talk("reset_peak")

    def test_clear_traces(self):
        self.talk("clear_traces")

    def test_is_tracing(self):
        self.talk("is_tracing")

    def test_set_traceback_limit(self):
        self.talk("set_traceback_limit")

    def test_get_object_traceback(self):
        self.talk("get_object_traceback")

    def test_get_tracemalloc_memory(self):
        self.talk("get_tracemalloc_memory")

    def test_stopped_blocks(self):
        self.talk("stopped_blocks")

    def test_reused_addresses(self):
        self.talk("reused_addresses")

    def test_track(self):
        self.talk("track")

    def test_track_heap(self):
        self.talk("track_heap")

    def test_stop_track(self):
        self.talk("stop_track")

    def test_track_many(self):
        self.talk("track_many")

    def test_scopes(self):
        self.talk("scopes")

    def test_deep_scopes(self):
        self.talk("deep_scopes")

    def test_forked(self):
        self.talk("forked")

    def test_constructors_and_exit(self):
        self.talk("constructors_and_exit")

    def test_clear_forever(self):
        self.talk("clear_forever")

    def test_start_later(self):
        self.talk("start_later", HEAPTALLY_START="0")

    def test_in_code_at_fixed_addresses(self):
        """Where weak symbols are settled when the program is linked."""
        for part in ("absent", "get_traced_memory", "is_tracing", "track", "scopes"):
            self.talk(part, "talks_fixed")

    def test_cc(self):
        done = self.run_program([PROGRAMS / "talks_cc"], check=None)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        labels = [self.info(path)["snapshot"]["label"] for path in self.snapshots()]
        self.assertEqual(labels, ["from C++", ""])

    def test_an_unstarted_process_says_so(self):
        self.run_program(["/bin/true"], environment=self.environment(HEAPTALLY_START="0"))
        info = self.info(self.snapshots()[0])
        self.assertEqual((info["tracing"], info["clears"]), (False, 0))
        top = self.heaptally("top", self.snapshots()[0])
        self.assertIn("was not traced when the snapshot was taken", top.stdout)

    def test_an_unstarted_process_is_asked_nothing(self):
        """No system call an event: the program is killed at its first."""
        if self.run_program([PROGRAMS / "stopped"], traced=False, check=None).returncode == 77:
            self.skipTest("no filter of system calls")
        self.run_program([PROGRAMS / "stopped"], environment=self.environment(HEAPTALLY_START="0"))

    def test_a_cleared_process_says_so(self):
        self.talk("clear_traces")
        info = self.info(self.snapshots()[0])
        self.assertEqual((info["tracing"], info["clears"]), (True, 1))

    def test_other_unwinders_follow_a_clear(self):
        for unwinder in ("libunwind", "gcc", "fp"):
            for part in ("clear_traces", "stopped_blocks", "scopes"):
                self.talk(part, HEAPTALLY_UNWINDER=unwinder)

    def test_domains_and_scopes_are_known_to_info(self):
        self.talk("reported")
        info = self.info(self.snapshots()[0])
        self.assertEqual({(entry["number"], entry["name"]): entry["live_bytes"] for entry in info["domains"]},
                         {(389047, "numpy"): 7000000})
        self.assertEqual({entry["name"]: (entry["begun"], entry["live_bytes"]) for entry in info["scopes"]},
                         {"load": (1, 2340000), "load/parse": (1, 40000)})


class RaceTest(TestCase):
    def test_stop_racing_track(self):
        done = self.run_program([PROGRAMS / "talks_race", str(RACE_SECONDS)], check=None)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertRegex(done.stdout.decode(), r"^\d+ events, \d+ changes\n$")
        for path in self.snapshots():  # taken in the middle of it
            self.top(path)


if __name__ == "__main__":
    main()
