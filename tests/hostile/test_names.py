"""test_names.py VICTIM PLUGIN: names that a traced program chooses - its own, its modules', labels, arguments - with
control characters, terminal escapes, quotes and broken UTF-8 in them are harmless in every output of every command.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
from heaptally_test import COMMAND, LIBRARY, TestCase, main  # noqa: E402

VICTIM, PLUGIN = sys.argv.pop(1), sys.argv.pop(1)

# An escape that clears the screen, one that sets the title, a new line that looks like a row, C1 controls, marks that turn
# the direction of writing, half a character, quotes, a backslash, HTML.
EVIL = b"\x1b[2J\x1b]0;owned\x07\r\n x: size=1 GiB\x9b1m\xc2\x9b\xe2\x80\xae\xe2\x82\"'\\<b>&%n%s$(id)`"
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class NamesTest(TestCase):
    def setUp(self):
        super().setUp()
        evil = os.fsencode(self.directory) + b"/" + EVIL.replace(b"/", b"")
        os.mkdir(evil)
        self.program, self.plugin = evil + b"/" + EVIL, evil + b"/plugin" + EVIL
        shutil.copy(os.fsencode(VICTIM), self.program)
        shutil.copy(os.fsencode(PLUGIN), self.plugin)
        self.work = evil

    def run_it(self, *words):
        environment = {os.fsencode(k): os.fsencode(v) for k, v in self.environment().items()}
        done = subprocess.run([*words, self.program, self.plugin], env=environment, cwd=self.work, capture_output=True,
                              timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def check(self, name, output):
        """Valid UTF-8, and no character that a terminal obeys."""
        text = output.decode("utf-8")
        found = OBEYED.search(text)
        self.assertIsNone(found, found and f"{name}: {text[max(0, found.start() - 50):found.end() + 20]!r}")
        self.assertNotIn("\n x: size=1 GiB", text, name)
        return text

    def command(self, *words, status=0):
        environment = {os.fsencode(k): os.fsencode(v) for k, v in self.environment().items()}
        done = subprocess.run([COMMAND, *words], env=environment, capture_output=True, timeout=60, cwd=self.work)
        self.assertEqual(done.returncode, status, done.stderr)
        for output in (done.stdout, done.stderr):
            self.check(words, output)
        return done.stdout

    def test_readers(self):
        environment = self.environment(LD_PRELOAD=LIBRARY)
        done = subprocess.run([self.program, self.plugin], env=environment, cwd=self.work, capture_output=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"unharmed\n", b""))
        one, two = sorted(self.snapshots())[-2:]
        seen = 0
        for key in ("lineno", "filename", "function", "module", "traceback"):
            for form in ([], ["--bare"], ["--raw"]):
                output = self.command("top", "-n", "0", "-k", key, "--metric", "total", *form, one)
                seen += b"\\x1b[2J" in output
            self.command("diff", "-n", "0", "-k", key, one, two)
            json.loads(self.command("top", "--json", "-n", "0", "-k", key, "--metric", "total", one))
            json.loads(self.command("diff", "--json", "-n", "0", "-k", key, one, two))
        self.assertGreater(seen, 0, "the names are shown, escaped")
        self.assertIn(b"\\x1b[2J", self.command("info", one))
        json.loads(self.command("info", "--json", one))

    def test_images(self):
        """ps, clean and snapshot, of images that processes with such names left."""
        environment = self.environment(LD_PRELOAD=LIBRARY, HEAPTALLY_OUT="/nonexistent/x.hts")
        subprocess.run([self.program, self.plugin], env=environment, cwd=self.work, check=True, timeout=60,
                       capture_output=True)
        self.command("ps")
        json.loads(self.command("ps", "--json"))
        self.command("snapshot", "-o", b"%e.%l.hts", os.fsencode(self.image_files()[0]))
        self.command("clean", "-n")
        self.command("clean")

    def test_run(self):
        done = self.run_it(os.fsencode(COMMAND), b"run", b"--")
        self.check("run", done.stderr)
        self.assertEqual(done.stdout, b"unharmed\n")

    def test_messages(self):
        """What is refused is quoted, and harmless in the quotation."""
        for words in (["top", EVIL], ["info", EVIL], ["diff", EVIL, EVIL], ["run", "--", EVIL], ["top", "-k", EVIL, "x"],
                      ["top", "--" + os.fsdecode(EVIL)], [EVIL]):
            environment = {os.fsencode(k): os.fsencode(v) for k, v in self.environment().items()}
            done = subprocess.run([COMMAND, *words], env=environment, capture_output=True, timeout=60, cwd=self.work)
            self.assertNotEqual(done.returncode, 0)
            self.check(words, done.stderr)
            self.check(words, done.stdout)


main()
