"""The manual: pages without a warning, one for each command, which names each of its options."""

import pathlib
import re
import subprocess

from heaptally_test import TestCase, main

PAGES = pathlib.Path(__file__).resolve().parents[2] / "report" / "man"
COMMANDS = ("run", "ps", "clean", "snapshot", "top", "diff", "info")


def render(path):
    return subprocess.run(["man", "--warnings", "-E", "UTF-8", "-Tutf8", "-P", "cat", "-l", path], text=True,
                          capture_output=True, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "100"})


class ManualTest(TestCase):
    def test_pages_have_no_warnings(self):
        pages = sorted(PAGES.glob("*.[17]"))
        self.assertEqual(len(pages), len(COMMANDS) + 2)
        for page in pages:
            with self.subTest(page=page.name):
                done = render(page)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertIn("NAME", re.sub(".\b", "", done.stdout))

    def test_a_warning_would_be_noticed(self):
        page = self.directory / "broken.1"
        page.write_text(".Dd January 1, 2000\n.Dt BROKEN 1\n.Os\n.Sh NAME\n.nonsense\n")
        self.assertNotEqual(render(page).stderr, "")

    def test_every_option_is_documented(self):
        for name in COMMANDS:
            options = set(re.findall(r"--([a-z-]+)", self.heaptally(name, "--help").stdout.split("options:")[1]))
            text = (PAGES / f"heaptally-{name}.1").read_text()
            if name == "diff":  # refers to top's page
                text += (PAGES / "heaptally-top.1").read_text()
            for option in options - {"help"}:
                with self.subTest(command=name, option=option):
                    self.assertRegex(text, rf"Fl -{option}\b")

    def test_every_variable_is_documented(self):
        text = (PAGES / "libheaptally.7").read_text()
        for name in ("DIR", "OUT", "NFRAME", "SIGNAL", "OVERWRITE", "FOLLOW", "MEMORY", "UNWINDER", "SESSION"):
            self.assertIn(f".It Ev HEAPTALLY_{name}\n", text)


main()
