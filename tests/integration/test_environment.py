"""Malformed environment values: the program is not run, and the message names the variable and what is allowed."""

from heaptally_test import PROGRAMS, TestCase, main

MALFORMED = {
    "HEAPTALLY_NFRAME": ("0", "65536", "-1", "ten", "10 ", " 10", "", "1e3", "99999999999999999999"),
    "HEAPTALLY_SIGNAL": ("SIGNONE", "-1", "65", "KILL", "SIGSTOP", "9", "SEGV", "", "usr2 "),
    "HEAPTALLY_MEMORY": ("0", "1023K", "1T", "M", "-1M", "", "256 M", "18446744073709551616"),
    "HEAPTALLY_OVERWRITE": ("2", "yes", "", "true", "01"),
    "HEAPTALLY_FOLLOW": ("2", "no", "", "-1"),
    "HEAPTALLY_START": ("2", "no", "", "-1"),
    "HEAPTALLY_MMAP": ("2", "on", "", "-1"),
    "HEAPTALLY_UNWINDER": ("dwarf", "", "GCC"),
    "HEAPTALLY_OUT": ("%q.hts", "ends-with-%", "", "/tmp/", "x" * 5000),
    "HEAPTALLY_DIR": ("", "y" * 5000),
    "HEAPTALLY_SESSION": ("x", "-1"),
}

WELL_FORMED = {
    "HEAPTALLY_NFRAME": ("1", "65535"),
    "HEAPTALLY_SIGNAL": ("SIGUSR2", "USR1", "12", "0", "none"),
    "HEAPTALLY_MEMORY": ("1M", "1048576", "1024k", "2G"),
    "HEAPTALLY_OVERWRITE": ("0", "1"),
    "HEAPTALLY_FOLLOW": ("0", "1"),
    "HEAPTALLY_START": ("0", "1"),
    "HEAPTALLY_MMAP": ("0", "1"),
    "HEAPTALLY_UNWINDER": ("gcc", "libunwind"),
}


class EnvironmentTest(TestCase):
    def test_malformed_values(self):
        for name, values in MALFORMED.items():
            for value in values:
                with self.subTest(name=name, value=value[:20]):
                    done = self.run_program([PROGRAMS / "own_handler", "ignore"], check=None,
                                            environment=self.environment(**{name: value}))
                    self.assertNotEqual(done.returncode, 0)
                    self.assertEqual(done.stdout, b"", "the program has not run")
                    self.assertIn(name, done.stderr.decode())
                    self.assertEqual((self.snapshots(), self.image_files()), ([], []))

    def test_message_says_what_is_allowed(self):
        allowed = {"HEAPTALLY_NFRAME": "65535", "HEAPTALLY_SIGNAL": "SIGUSR2", "HEAPTALLY_OVERWRITE": "0 or 1",
                   "HEAPTALLY_FOLLOW": "0 or 1", "HEAPTALLY_UNWINDER": "libunwind", "HEAPTALLY_MEMORY": "1M",
                   "HEAPTALLY_OUT": "%", "HEAPTALLY_MMAP": "0 or 1"}
        for name, text in allowed.items():
            with self.subTest(name=name):
                done = self.run_program([PROGRAMS / "calloc"], check=None,
                                        environment=self.environment(**{name: "% nonsense"}))
                self.assertIn(text, done.stderr.decode())

    def test_well_formed_values(self):
        for name, values in WELL_FORMED.items():
            for value in values:
                with self.subTest(name=name, value=value):
                    done = self.run_program([PROGRAMS / "own_handler", "ignore"],
                                            environment=self.environment(**{name: value}))
                    self.assertEqual((done.stdout, done.stderr), (b"survived\n", b""))

    def test_a_name_that_is_none_of_ours_is_pointed_out_or_left_alone(self):
        done = self.run_program([PROGRAMS / "own_handler", "ignore"],
                                environment=self.environment(HEAPTALLY_NONSENSE="1"), check=None)
        if done.returncode == 0:
            self.assertEqual(done.stdout, b"survived\n")
        else:
            self.assertIn("HEAPTALLY_NONSENSE", done.stderr.decode())


main()
