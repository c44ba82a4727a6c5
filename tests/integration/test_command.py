"""The command: run, ps, clean, and what it says about sources that are none."""

import json
import os
import signal
import subprocess

from heaptally_test import COMMAND, PROGRAMS, TestCase, main


class RunTest(TestCase):
    def test_streams_are_the_programs(self):
        done = self.heaptally("run", "--", "cat", input="some text\n")
        self.assertEqual(done.stdout, "some text\n")
        self.assertLessEqual(len(done.stderr.splitlines()), 2)
        self.assertIn(str(self.only(self.snapshots()).name), done.stderr)

    def test_status(self):
        self.heaptally("run", "--", "sh", "-c", "exit 3", check=3)
        self.heaptally("run", "--", "sh", "-c", "kill -TERM $$", check=128 + signal.SIGTERM)

    def test_output_pattern_and_nframe(self):
        out = self.directory / "named-%e.hts"
        self.heaptally("run", "-o", out, "-f", "2", "--", PROGRAMS / "recursion")
        rows = self.top(self.directory / "named-recursion.hts", "-k", "traceback")["rows"]
        self.assertEqual(max(len(row["traceback"]) for row in rows), 2)

    def test_top_at_exit(self):
        done = self.heaptally("run", "--top", "3", "--", PROGRAMS / "peak")
        self.assertRegex(done.stderr, r"peak\.c:\d+: size=\d")

    def test_no_follow(self):
        self.heaptally("run", "--no-follow", "--", PROGRAMS / "fork_child")
        self.assertEqual(len(self.snapshots()), 1)

    def test_program_that_is_not_there(self):
        done = self.heaptally("run", "--", "/nowhere/program", check=None)
        self.assertIn(done.returncode, (2, 126, 127))
        self.assertIn("/nowhere/program", done.stderr)

    def test_statically_linked_program_is_refused(self):
        static = self.directory / "static"
        source = self.directory / "static.c"
        source.write_text("int main(void) { return 0; }\n")
        subprocess.run(["cc", "-static", "-o", static, source], check=True)
        done = self.heaptally("run", "--", static, check=None)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("static", done.stderr.replace(str(static), ""))

    def test_sanitized_program_is_refused_where_it_would_refuse_us(self):
        source, built = self.directory / "sanitized.c", self.directory / "sanitized"
        source.write_text("int main(void) { return 0; }\n")
        for options, status in ((["-fsanitize=address"], 126), (["-fsanitize=address", "-static-libasan"], 0)):
            if subprocess.run(["gcc", *options, "-o", built, source], capture_output=True).returncode != 0:
                self.skipTest("gcc has no AddressSanitizer")
            done = self.heaptally("run", "--", built, check=status)
            self.assertEqual("AddressSanitizer" in done.stderr, status != 0, done.stderr)

    def test_nothing_is_written_anywhere_else(self):
        here = self.directory / "here"
        here.mkdir()
        self.heaptally("run", "--", PROGRAMS / "calloc", cwd=here)
        self.assertEqual(list(here.iterdir()), [])


class KillTest(TestCase):
    """kill -9 in mid-work: nothing is lost but the event that was under way."""

    def assert_is_whole(self, report):
        counts = {row["line"]: row["count"] for row in report["rows"]
                  if (row["file"] or "").endswith("endless.c")}
        self.assertIn(500, counts.values(), "the blocks made before the kill")
        self.assertEqual(report["totals"]["live_bytes"], sum(row["size"] for row in report["rows"]))

    def test_under_run(self):
        run = subprocess.Popen([COMMAND, "run", "--", str(PROGRAMS / "endless")], env=self.environment(),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.end, run)
        self.wait_for_output(run, b"ready\n")
        pid = int(self.only(self.image_files()).name.split(".")[0])
        os.kill(pid, signal.SIGKILL)
        _, said = run.communicate(timeout=60)
        self.assertEqual(run.returncode, 128 + signal.SIGKILL)
        self.assertRegex(said.decode(), r"(?i)image")
        self.assertEqual(self.image_files(), [])
        self.assert_is_whole(self.top(self.only(self.snapshots()), "--raw"))

    def test_bare_preload(self):
        process = self.start_program([PROGRAMS / "endless"])
        process.kill()
        process.wait()
        image = self.only(self.image_files())
        listed = json.loads(self.heaptally("ps", "--json").stdout)["processes"]
        self.assertEqual([(p["pid"], p["state"], p["program"]) for p in listed], [(process.pid, "dead", "endless")])
        self.assert_is_whole(self.top(process.pid, "--raw"))
        self.assert_is_whole(self.top(image, "--raw"))
        self.assertIn("1 image", self.heaptally("clean").stdout)
        self.assertEqual(self.image_files(), [])

    def test_many_moments(self):
        for _ in range(20):
            process = self.start_program([PROGRAMS / "endless"])
            process.kill()
            process.wait()
            self.assert_is_whole(self.top(process.pid, "--raw"))


class ListTest(TestCase):
    def test_ps_of_a_running_process(self):
        process = self.start_program([PROGRAMS / "endless", "idle"])
        entry = self.only(json.loads(self.heaptally("ps", "--json").stdout)["processes"])
        self.assertEqual((entry["pid"], entry["state"], entry["live_bytes"], entry["live_blocks"],
                          entry["allocations"]), (process.pid, "running", 500000, 500, 500))
        text = self.heaptally("ps").stdout
        self.assertRegex(text, rf"(?m)^ *{process.pid} +running +endless +488 KiB +500 +500 ")

    def test_clean_leaves_the_living(self):
        process = self.start_program([PROGRAMS / "endless", "idle"])
        self.run_program([PROGRAMS / "exit_ways", "_exit"], check=5)
        self.assertEqual(len(self.image_files()), 2)
        self.heaptally("clean")
        self.assertEqual(self.only(self.image_files()).name.split(".")[0], str(process.pid))


class SourceTest(TestCase):
    """Sources that cannot be read: exit status 2, and a message that names them."""

    def refuse(self, source, *expected):
        done = self.heaptally("top", source, check=2)
        self.assertEqual(done.stdout, "")
        for text in (str(source), *expected):
            self.assertIn(text, done.stderr)

    def snapshot(self):
        self.run_program([PROGRAMS / "malloc_free"])
        return self.only(self.snapshots())

    def test_no_such_file(self):
        self.refuse(self.directory / "nowhere.hts")

    def test_no_such_process(self):
        self.refuse(str(2 ** 22 + 1))

    def test_other_file(self):
        self.refuse(PROGRAMS / "calloc")

    def test_directory(self):
        self.refuse(self.directory)

    def test_every_truncation_is_noticed(self):
        whole = self.snapshot().read_bytes()
        cut = self.directory / "cut.hts"
        for length in [0, 1, 7, 8, 100, 4096, *range(16383, len(whole), 512), len(whole) - 1]:
            cut.write_bytes(whole[:length])
            with self.subTest(length=length):
                self.refuse(cut)

    def test_newer_version(self):
        data = bytearray(self.snapshot().read_bytes())
        data[8:12] = (7 << 16).to_bytes(4, "little")
        newer = self.directory / "newer.hts"
        newer.write_bytes(data)
        self.refuse(newer, "version")

    def test_every_flipped_byte_is_noticed(self):
        """Checksums cover the header and every region."""
        whole = self.snapshot().read_bytes()
        damaged = self.directory / "damaged.hts"
        for offset in range(0, len(whole), 499):
            damaged.write_bytes(whole[:offset] + bytes([whole[offset] ^ 0x41]) + whole[offset + 1:])
            with self.subTest(offset=offset):
                self.refuse(damaged)


class HelpTest(TestCase):
    SUB_COMMANDS = ("run", "top", "diff", "info", "ps", "snapshot", "clean", "import", "dump", "blame", "annotate", "growth",
                    "delta", "baseline")

    def test_each_has_help(self):
        overview = self.heaptally("--help").stdout
        for name in self.SUB_COMMANDS:
            self.assertIn(name, overview)
            self.assertIn(name, self.heaptally(name, "--help").stdout)

    def test_unknown_words_are_refused(self):
        for words in (("nonsense",), ("top",), ("top", "--nonsense", "x"), ("diff", "one"), ("run",),
                      ("top", "-k", "nonsense", "x"), ("top", "-n", "many", "x")):
            with self.subTest(words=words):
                done = self.heaptally(*words, check=2)
                self.assertEqual(done.stdout, "")
                self.assertNotEqual(done.stderr, "")


class ThreadTest(TestCase):
    """`threads`: four threads allocate 2001 blocks each and free 1000 of each other's; main frees 500 more."""

    def test_each_thread_has_what_it_allocated_less_what_it_freed(self):
        self.run_program([PROGRAMS / "threads"])
        path = self.only(self.snapshots())
        totals = self.top(path)["totals"]
        for metric, size, count in (("live", "live_bytes", 1001), ("total", "allocated_bytes", 2001)):
            rows = self.top(path, "-k", "thread", "--metric", metric)["rows"]
            self.assertEqual(len({row["thread"] for row in rows}), 5)
            self.assertEqual(sum(row["size"] for row in rows), totals[size])
            for row in rows:
                found = self.top(path, "--thread", row["thread"], "--metric", metric)["rows"]
                self.assertEqual(sum(line["size"] for line in found), row["size"])
            self.assertEqual([row["count"] for row in rows[:4]], [count] * 4)
            if metric == "live":  # main has freed what others allocated
                self.assertLess(rows[4]["size"], 0)


class ViewTest(TestCase):
    """Every key, metric and form of `top` of one snapshot agrees with the ledger's totals."""

    def setUp(self):
        super().setUp()
        self.run_program([PROGRAMS / "peak"])
        self.path = self.only(self.snapshots())

    def test_keys(self):
        live = self.top(self.path)["totals"]["live_bytes"]
        for key in ("lineno", "filename", "function", "module", "traceback", "thread", "domain", "size",
                    "function,module", "thread,lineno", "domain,traceback"):
            with self.subTest(key=key):
                rows = self.top(self.path, "-k", key)["rows"]
                self.assertEqual(sum(row["size"] for row in rows), live)
                self.assertEqual([row["size"] for row in rows], sorted((r["size"] for r in rows), reverse=True))

    def test_cumulative_main_has_all(self):
        rows = self.top(self.path, "-k", "function", "--cumulative", "--raw")["rows"]
        by_function = {row["function"]: row["size"] for row in rows}
        self.assertEqual(by_function["main"], self.top(self.path)["totals"]["live_bytes"])

    def test_include_and_exclude_are_complements(self):
        everything = self.top(self.path, "--metric", "total")["rows"]
        for pattern in ("*/peak.c", "*/[!x]*", f"*/peak.c:{everything[0]['line']}", "*@0", "*@7"):
            kept, left = (self.top(self.path, "--metric", "total", option, pattern)["rows"]
                          for option in ("--include", "--exclude"))
            with self.subTest(pattern=pattern):
                self.assertCountEqual(map(json.dumps, kept + left), map(json.dumps, everything))
                self.assertEqual(kept == [], pattern == "*@7")

    def test_filters_of_native_code(self):
        everything = self.top(self.path, "--metric", "total", "-k", "thread")
        thread = self.only(everything["rows"])["thread"]
        for options in (("--thread", thread), ("--function", "main", "--all-frames"), ("--module", "peak"),
                        ("--domain", 0), ("--domain", "heap"), ("--min-size", 1)):
            with self.subTest(options=options):
                rows = self.top(self.path, "--metric", "total", *options)["rows"]
                self.assertEqual(sum(row["count"] for row in rows), everything["rows"][0]["count"])
        for options in (("--thread", thread + 1), ("--function", "nobody"), ("--module", "pea"), ("--domain", 1),
                        ("--domain", "mmap"), ("--exclude-domain", 0), ("--exclude-domain", "heap"), ("--min-size", "1G")):
            with self.subTest(options=options):
                self.assertEqual(self.top(self.path, "--metric", "total", *options)["rows"], [])

    def test_filters_that_are_none(self):
        for option, value in (("--domain", "1x"), ("--include", "x@4294967296"), ("--include", "x:4294967296"),
                              ("--thread", ""), ("--limit", "1x"), ("-k", "lineno,lineno"), ("-k", "lineno,"),
                              ("--compat", "python")):
            with self.subTest(option=option, value=value):
                self.assertIn(option.replace("-k", "--key"), self.heaptally("top", option, value, self.path, check=2).stderr)

    def test_text_forms(self):
        text = self.heaptally("top", self.path, "-n", "1").stdout
        self.assertRegex(text, r"peak\.c:\d+: size=\S+ (B|KiB), count=\d+, average=\S+ B\n    \S")
        bare = self.heaptally("top", self.path, "--bare", "-n", "0").stdout.splitlines()
        self.assertEqual(len(bare), len(self.top(self.path)["rows"]))

    def test_info(self):
        text = self.heaptally("info", self.path).stdout
        for expected in (str(PROGRAMS / "peak"), "libc.so.6"):
            self.assertIn(expected, text)


main()
