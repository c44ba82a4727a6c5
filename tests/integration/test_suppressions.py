"""HEAPTALLY_SUPPRESS: suppressions that a program or a library brings, in whatever way they were built."""

import json
import os
import pathlib
import shutil
import subprocess

from heaptally_test import TestCase, main

INCLUDE = pathlib.Path(__file__).resolve().parent.parent.parent / "include"
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")

COMMON = """
#include <heaptally.h>
#include <stdlib.h>

HEAPTALLY_SUPPRESS("leak:known_one");
HEAPTALLY_SUPPRESS("leak:^known_two$" "\\n# no more than a note\\n  leak:known_three");

static void *kept[8];
void known_one(void);
void known_two(void);
void known_three(void);
void fresh(void);
void known_one(void) { kept[0] = malloc(1000); }
void known_two(void) { kept[1] = malloc(200); }
void known_three(void) { kept[2] = malloc(30); }
void fresh(void) { kept[3] = malloc(5); }
"""

PROGRAM = COMMON + """
%s
int main(void) {
    known_one();
    known_two();
    known_three();
    fresh();
    %s
    return 0;
}
"""

LIBRARY = """
#include <heaptally.h>
#include <stdlib.h>
HEAPTALLY_SUPPRESS("leak:libonly.so");
void *from_library(void);
void *from_library(void) { return malloc(70000); }
"""


class SuppressTest(TestCase):
    def build(self, *options, compiler="cc", name="program", text=PROGRAM % ("", ""), suffix=".c"):
        source, target = self.directory / f"{name}{suffix}", self.directory / name
        source.write_text(text)
        subprocess.run([*compiler.split(), "-g", "-O1", "-fno-builtin", f"-I{INCLUDE}", *WARNINGS, "-o", target, source,
                        *options], check=True)
        return target

    def trace(self, program, name="a.hts"):
        self.heaptally("run", "--overwrite", "-o", self.directory / name, "--", program)
        return self.directory / name

    def suppressed(self, path, *options):
        """Of the report: what was left out by which suppression, and the sizes of the program's rows."""
        report = self.top(path, *options)
        by = {entry["suppression"]: (entry["size"], entry["count"], entry["origin"])
              for entry in report["suppressed"]["by"]}
        self.assertEqual(sum(entry["size"] for entry in report["suppressed"]["by"]), report["suppressed"]["size"])
        self.assertEqual(sum(entry["count"] for entry in report["suppressed"]["by"]), report["suppressed"]["count"])
        sizes = {row["size"] for row in report["rows"] if (row["function"] or "").removesuffix("()") in
                 ("known_one", "known_two", "known_three", "fresh", "from_library")}
        return by, sizes

    def expected(self, program):
        return {"leak:known_one": (1000, 1, str(program)), "leak:^known_two$": (200, 1, str(program)),
                "leak:known_three": (30, 1, str(program))}

    def test_compilers_and_links(self):
        builds = [("cc -std=c99", ".c", ()), ("cc", ".c", ("-O2", "-flto")),
                  ("cc", ".c", ("-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections")),
                  ("c++ -std=c++98", ".cc", ("-fdata-sections", "-Wl,--gc-sections"))]
        if shutil.which("clang"):
            builds += [("clang", ".c", ("-fdata-sections", "-Wl,--gc-sections")), ("clang++ -std=c++20", ".cc", ())]
        for compiler, suffix, options in builds:
            with self.subTest(compiler=compiler, options=options):
                program = self.build(*options, compiler=compiler, suffix=suffix)
                by, sizes = self.suppressed(self.trace(program))
                if suffix == ".cc":  # names have types there, which ^ and $ count
                    self.assertEqual(by.keys(), {"leak:known_one", "leak:known_three"})
                    self.assertEqual(sizes, {200, 5})
                else:
                    self.assertEqual(by, self.expected(program))
                    self.assertEqual(sizes, {5})

    def test_strip(self):
        """Names are gone, so that a module is what can still be named; the note is there."""
        text = PROGRAM % ('HEAPTALLY_SUPPRESS("leak:/program$");', "")
        for command in (["strip"], ["strip", "--strip-unneeded"], ["objcopy", "--strip-all"]):
            with self.subTest(command=command):
                program = self.build(text=text)
                subprocess.run([*command, program], check=True)
                by = self.suppressed(self.trace(program))[0]
                self.assertEqual(by, {"leak:/program$": (1235, 4, str(program))})

    def test_libraries_bring_their_own(self):
        self.build("-shared", "-fPIC", "-Wl,-soname,libonly.so", name="libonly.so", text=LIBRARY)
        program = self.build(self.directory / "libonly.so", "-Wl,-rpath,$ORIGIN",
                             text=PROGRAM % ("void *from_library(void);", "kept[4] = from_library();"))
        path = self.trace(program)
        by, sizes = self.suppressed(path)
        library = str(self.directory / "libonly.so")
        self.assertEqual(by, {**self.expected(program), "leak:libonly.so": (70000, 1, library)})
        self.assertEqual(sizes, {5})

    def test_reports_say_it_and_can_be_told_not_to(self):
        program = self.build()
        path = self.trace(program)
        line = f"1.0 KiB in 1 blocks by leak:known_one of {program}"
        for command in (("top", path), ("diff", path, path), ("growth", path, path), ("annotate", path, "program.c")):
            with self.subTest(command=command[0]):
                text = self.heaptally(*command).stdout
                self.assertIn(line, text)
                self.assertIn(": 1.2 KiB", text[text.index("Suppressed"):])
                text = self.heaptally(*command, "--no-suppressions").stdout
                self.assertNotIn("uppressed", text)
        annotation = json.loads(self.heaptally("annotate", "--json", path, "program.c").stdout)
        self.assertEqual(annotation["totals"]["live_bytes"], 5)
        self.assertEqual(annotation["suppressed"]["size"], 1230)
        by, sizes = self.suppressed(path, "--no-suppressions")
        self.assertEqual(by, {})
        self.assertEqual(sizes, {1000, 200, 30, 5})

    def test_with_a_file(self):
        program, file = self.build(), self.directory / "more.supp"
        file.write_text("leak:fresh\nleak:known_one\n")
        path = self.trace(program)
        by, sizes = self.suppressed(path, "--suppressions", file)
        self.assertEqual(sizes, set())
        self.assertEqual(by["leak:fresh"], (5, 1, str(file)))
        self.assertEqual(by["leak:known_one"][2], str(file))  # that of the command goes first
        self.assertEqual(self.suppressed(path, "--suppressions", file, "--no-suppressions")[0], {})

    def test_another_build_says_nothing(self):
        program = self.build()
        path = self.trace(program)
        self.build(text=PROGRAM % ("", "fresh();"))
        self.assertEqual(self.suppressed(path)[0], {})

    def test_lines_that_are_none(self):
        program = self.build(text=PROGRAM % ('HEAPTALLY_SUPPRESS("nonsense");\nHEAPTALLY_SUPPRESS("leak:");', ""))
        path = self.trace(program)
        done = self.heaptally("top", path)
        self.assertIn(f"heaptally: {program}: HEAPTALLY_SUPPRESS: 'nonsense'", done.stderr)
        self.assertEqual(self.suppressed(path)[0], self.expected(program))

    def test_damaged_notes(self):
        """Sizes that lead out of the section end the reading."""
        program = self.build()
        path = self.trace(program)
        notes = self.directory / "notes"
        for at in (0, 4):
            subprocess.run(["objcopy", "-O", "binary", "--only-section=.note.heaptally", "--set-section-flags",
                            ".note.heaptally=alloc", program, notes], check=True)
            damaged = bytearray(notes.read_bytes())
            damaged[at:at + 4] = b"\xff\xff\xff\x7f"
            notes.write_bytes(damaged)
            copy = self.directory / "copy"
            shutil.copy(program, copy)
            subprocess.run(["objcopy", "--update-section", f".note.heaptally={notes}", copy], check=True)
            os.replace(copy, program)
            self.assertEqual(self.suppressed(path)[0], {})


main()
