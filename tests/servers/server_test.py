"""What the tests of real servers share. A test drives a server twice in the same way, in the same directory and on the
same port: plain and with the tracer. What it writes down meanwhile must be equal; in the traced run it also looks at the
server's processes from outside.

Servers that refuse root run as nobody, who need not be able to read where the tests were built: the library is copied."""

import contextlib
import ctypes
import glob
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
import heaptally_test  # noqa: E402
from heaptally_test import TestCase, main, wait_until  # noqa: E402, F401

WATCHDOG_SECONDS = 150  # for one of the two runs
NOBODY = 65534
NUMBER = re.compile(rb"\d+(\.\d+)*")


def find(*patterns):
    """The newest program that one of the patterns names, or None."""
    return next((path for pattern in patterns
                 for path in [shutil.which(pattern), *sorted(glob.glob(pattern), reverse=True)] if path), None)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def children(pid):
    """Of all its threads, some of which may end meanwhile."""
    found = []
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found += map(int, pathlib.Path(path).read_text().split())
    return found


def adopt_orphans():
    """Daemons become children of this process, which learns how they end, and can end them."""
    PR_SET_CHILD_SUBREAPER = 36
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_all():
    """Kills every process that descends from this one."""
    while pids := children(os.getpid()):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def masked(text):
    """A log without its numbers: times, pids and sizes differ from run to run."""
    return NUMBER.sub(b"N", text)


class ServerTest(TestCase):
    """A subclass says what the server is, and drives it."""

    unprivileged = False  # run as nobody where the test is root's
    program = None

    def setUp(self):
        super().setUp()
        if self.program is None:
            self.skipTest("it is not installed")
        adopt_orphans()
        self.addCleanup(end_all)
        self.directory.chmod(0o711)
        self.library = self.directory / "libheaptally.so"
        shutil.copy(heaptally_test.LIBRARY, self.library)
        self.library.chmod(0o755)
        self.place, self.port, self.traced, self.transcript = self.directory / "place", free_port(), False, []
        self.as_user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} \
            if self.unprivileged and os.geteuid() == 0 else {}
        if self.as_user:
            os.chown(self.images, NOBODY, NOBODY)

    # ---- two runs ----

    def drive(self):
        raise NotImplementedError

    def assert_same_as_without(self):
        """Two runs of drive(); what they wrote down is equal."""
        transcripts = []
        for self.traced in (False, True):
            self.transcript = []
            shutil.rmtree(self.place, ignore_errors=True)
            self.place.mkdir()
            if self.as_user:
                os.chown(self.place, NOBODY, NOBODY)
            self.drive()
            transcripts.append(self.transcript)
        plain, traced = transcripts
        self.assertEqual([what for what, _ in traced], [what for what, _ in plain])
        for (what, expected), (_, got) in zip(plain, traced):
            self.assertEqual(got, expected, what)

    def write_down(self, what, value):
        self.transcript.append((what, value))

    # ---- processes ----

    def server_environment(self, **variables):
        return self.environment(HEAPTALLY_OUT=self.place / "%p.%n.hts",
                                **({"LD_PRELOAD": self.library} if self.traced else {}), **variables)

    def launch(self, command, log="log", environment=None, **arguments):
        """Starts the server, with a watchdog."""
        with open(self.place / log, "ab") as output:
            process = subprocess.Popen([str(word) for word in command], cwd=self.place, stdin=subprocess.DEVNULL,
                                       stdout=output, stderr=output, start_new_session=True,
                                       env=environment or self.server_environment(), **self.as_user, **arguments)
        watchdog = threading.Timer(WATCHDOG_SECONDS, end_all)
        watchdog.daemon = True
        watchdog.start()
        self.addCleanup(watchdog.cancel)
        return process

    def log(self, name="log"):
        return (self.place / name).read_bytes()

    def first_connection(self, process):
        """The first that the server takes."""
        def connect():
            self.assertIsNone(process.poll(), self.log().decode(errors="replace"))
            with contextlib.suppress(OSError):
                return socket.create_connection(("127.0.0.1", self.port), timeout=30)
        connection = wait_until(connect, "the server takes connections")
        self.addCleanup(connection.close)
        return connection

    def end_server(self, process, number=signal.SIGTERM):
        """Asks it to end, and writes down how it did."""
        process.send_signal(number)
        self.write_down("exit status", process.wait(timeout=heaptally_test.PATIENCE_SECONDS))

    # ---- looking at the traced run ----

    def info(self, source):
        """`heaptally info` of a pid or a file: nothing is lost, and all frees are of known blocks."""
        info = json.loads(self.heaptally("info", "--json", source).stdout)
        self.assertEqual({name: count for name, count in info["losses"].items() if count}, {}, source)
        self.assertEqual(info["unmatched_frees"], 0, source)
        totals = info["totals"]
        self.assertEqual(totals["allocations"] - totals["frees"], totals["live_blocks"], source)
        self.assertLessEqual(totals["live_bytes"], totals["peak_bytes"] + info["peak_bound_bytes"], source)
        return info

    def snapshot(self, pid):
        """A snapshot from outside, and what `info` says of it."""
        target = self.directory / f"outside.{time.monotonic_ns()}.hts"
        self.heaptally("snapshot", pid, "-o", target)
        return self.info(target)

    def live_bytes(self, pid):
        return self.snapshot(pid)["totals"]["live_bytes"] if self.traced else None

    def images_of(self, pids):
        """Every process has an image of its own, of its own pid."""
        self.assertGreater(len(pids), 0)
        found = {int(path.name.split(".")[0]) for path in self.image_files()}
        self.assertLessEqual(set(pids), found)
        infos = [self.info(pid) for pid in pids]
        self.assertEqual([info["process"]["pid"] for info in infos], list(pids))
        return infos

    def left_snapshots(self):
        """What `info` says of those that processes wrote as they ended."""
        return [self.info(path) for path in sorted(self.place.glob("*.hts"))]
