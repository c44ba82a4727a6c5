"""The manual pages: they render without a warning, and name every command, option, variable and loss."""

import json
import os
import pathlib
import re
import subprocess

from heaptally_test import PROGRAMS, TestCase, main

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGES = sorted((ROOT / "report" / "man").glob("*.[17]"))
OPTIONS_SOURCE = ROOT / "preload" / "platform" / "options.c"

# How an option is printed by --help: "  -n, --number N   print N rows"
OPTION_LINE = re.compile(r"^  (?:(-\w), |    )(--[\w-]+)", re.MULTILINE)
COMMAND_LINE = re.compile(r"^  (\w+) {2,}", re.MULTILINE)


def render(page):
    """The page as text on lines wide enough that no word is broken, and what was said about it."""
    environment = {**os.environ, "LC_ALL": "C", "MANWIDTH": "1000", "MAN_KEEP_FORMATTING": ""}
    done = subprocess.run(["man", "--warnings", "--encoding=ascii", "--local-file", str(page)], env=environment,
                          capture_output=True, text=True, check=True)
    return re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout), done.stderr


def occurs(word, text):
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) is not None


class ManualTest(TestCase):
    def page(self, name):
        return render(self.only(page for page in PAGES if page.stem == name))[0]

    def test_pages_render_without_warnings(self):
        self.assertTrue(PAGES)
        for page in PAGES:
            with self.subTest(page=page.name):
                text, warnings = render(page)
                self.assertEqual(warnings, "")
                self.assertIn("NAME", text)

    def test_every_command_has_a_page(self):
        commands = COMMAND_LINE.findall(self.heaptally("--help").stdout)
        self.assertTrue(commands)
        self.assertEqual({page.stem for page in PAGES},
                         {"heaptally", "libheaptally", *(f"heaptally-{command}" for command in commands)})

    def test_every_option_is_in_the_page(self):
        for command in COMMAND_LINE.findall(self.heaptally("--help").stdout):
            page = self.page(f"heaptally-{command}")
            options = OPTION_LINE.findall(self.heaptally(command, "--help").stdout)
            self.assertTrue(options, command)
            for option in filter(None, (name for pair in options for name in pair)):
                with self.subTest(command=command, option=option):
                    self.assertTrue(occurs(option, page))

    def test_every_variable_is_described(self):
        page, readme = self.page("libheaptally"), (ROOT / "README.md").read_text()
        names = set(re.findall(r'"(HEAPTALLY_[A-Z]+)"', OPTIONS_SOURCE.read_text()))
        self.assertTrue(names)
        for name in names:
            with self.subTest(variable=name):
                self.assertTrue(occurs(name, page))
                self.assertTrue(occurs(name, readme))

    def test_every_exported_function_is_described(self):
        page = self.page("libheaptally")
        for name in (ROOT / "tests" / "exports.txt").read_text().split():
            if not name.startswith("_Z"):
                with self.subTest(function=name):
                    self.assertTrue(occurs(name, page))

    def test_every_field_of_json_is_described(self):
        self.heaptally("run", "-o", self.directory / "a.hts", "--", PROGRAMS / "peak")
        for command, arguments in (("top", ["a.hts"]), ("diff", ["a.hts", "a.hts"]),
                                   ("annotate", ["a.hts", "peak.c"]), ("info", ["a.hts"]), ("ps", [])):
            report = json.loads(self.heaptally(command, "--json", *arguments, cwd=self.directory).stdout)
            page = "".join(map(self.page, (f"heaptally-{command}", "heaptally-top", "libheaptally")))
            for name in self.names_in(report):
                with self.subTest(command=command, field=name):
                    self.assertTrue(occurs(name, page))

    def names_in(self, value):
        if isinstance(value, list):
            return {name for item in value for name in self.names_in(item)}
        if isinstance(value, dict):
            return set(value) | {name for item in value.values() for name in self.names_in(item)}
        return set()


main()
