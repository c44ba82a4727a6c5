"""test_tools.py PROGRAM: strace, gdb and valgrind with the tracer in the program that they look at. Each prints what it
prints without, and where the tracer is what the program calls, it finds the same as ever."""

import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
from heaptally_test import LIBRARY, TestCase, main, wait_until  # noqa: E402

PROGRAM = sys.argv.pop(1)
HARMLESS = "libm.so.6"  # preloaded instead
CHANGING = rb"==\d+==|0x[0-9A-Fa-f]+|process \d+"


class ToolsTest(TestCase):
    def both(self, command, preload_by=None):
        """Standard output and the tool's own words, without numbers that change: plain and traced, which are equal."""
        results = []
        for traced in (False, True):
            words = [word.replace("@", LIBRARY if traced else HARMLESS) for word in command]
            environment = self.environment(**({"LD_PRELOAD": LIBRARY} if traced and preload_by is None else {}))
            done = self.run_program(words, traced=False, environment=environment)
            results.append([re.sub(CHANGING, b"", output) for output in (done.stdout, done.stderr)])
        self.assertEqual(*results)
        return results[1]

    def need(self, tool):
        if shutil.which(tool) is None:
            self.skipTest(f"{tool} is not installed")

    def program_found(self):
        """The snapshot of the program, among those of tools that were traced too: it has all of its allocations."""
        return max(self.top(path)["totals"]["allocations"] for path in self.snapshots())

    def test_strace(self):
        self.need("strace")
        self.both(["strace", "-f", "-o", "/dev/null", "-E", "LD_PRELOAD=@", PROGRAM], preload_by="strace")
        self.assertGreaterEqual(self.program_found(), 2100)

    def test_gdb(self):
        self.need("gdb")
        self.both(["gdb", "-q", "-nx", "-batch", "-ex", "set startup-with-shell off", "-ex", "set env LD_PRELOAD @",
                   "-ex", "break tally_drop_out", "-ex", "run", "-ex", "info breakpoints", PROGRAM], preload_by="gdb")
        self.assertGreaterEqual(self.program_found(), 2100)

    def test_gdb_that_calls_malloc(self):
        """In a process that runs already: what gdb has it allocate is counted like its own."""
        self.need("gdb")
        sleeper = self.start_program(["sh", "-c", "echo ready; read line; exit 4"], stdin=subprocess.PIPE)
        wait_until(lambda: pathlib.Path(f"/proc/{sleeper.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "S",
                   "the shell reads, for which it allocates")
        before = self.top(sleeper.pid)["totals"]
        done = self.run_program(["gdb", "-q", "-nx", "-batch", "-p", sleeper.pid, "-ex", "print (void *)malloc(12345)", "-ex",
                                 "detach"], traced=False)
        if b"Operation not permitted" in done.stderr:
            self.skipTest("the kernel lets gdb attach to its children alone")
        self.assertRegex(done.stdout, rb"\$1 = \(void \*\) 0x[0-9a-f]+", done.stderr)
        after = self.top(sleeper.pid)["totals"]
        self.assertEqual((after["allocations"] - before["allocations"], after["live_bytes"] - before["live_bytes"]), (1, 12345))
        sleeper.communicate(b"\n", timeout=60)
        self.assertEqual(sleeper.returncode, 4)

    def test_valgrind(self):
        """Its allocator stands before the tracer, which sees little, and says so by an almost empty profile."""
        self.need("valgrind")
        self.both(["valgrind", "-q", "--leak-check=full", PROGRAM])


main()
