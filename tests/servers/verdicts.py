"""verdicts.py FILE MODULE [PATTERN...]: runs tests of a module of python's own test package, those whose name contains
one of the patterns, and writes to FILE a line for each: the verdict, the seconds, the name. A subtest that fails is one.

Run by the interpreter whose tests they are. Exit status 0: every verdict was written, whatever it is."""

import os
import sys
import time
import unittest


class Verdicts(unittest.TestResult):
    def __init__(self, file):
        super().__init__()
        self.file, self.owner = file, os.getpid()

    def startTest(self, test):
        super().startTest(test)
        self.verdict, self.started = "ok", time.monotonic()

    def stopTest(self, test):
        super().stopTest(test)
        self.write(self.verdict, time.monotonic() - self.started, test.id())

    def write(self, verdict, seconds, name):
        if os.getpid() == self.owner:  # a forked child that a test lets escape is not asked
            print(verdict, f"{seconds:.2f}", name, file=self.file, flush=True)

    def addFailure(self, test, error):
        self.problem("failed", test, error)

    def addError(self, test, error):
        self.problem("error", test, error)

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.problem("failed", subtest, error)
            self.write("failed", 0, subtest.id())

    def problem(self, verdict, test, error):
        self.verdict = verdict
        print(f"== {verdict}: {test.id()}\n{self._exc_info_to_string(error, test)}", file=sys.stderr, flush=True)
        if not isinstance(test, unittest.TestCase) or not hasattr(test, "_testMethodName"):  # setUpClass, setUpModule
            self.write(verdict, 0, test.id())

    def addSkip(self, test, reason):
        self.verdict = "skipped"
        if not hasattr(test, "_testMethodName"):
            self.write("skipped", 0, test.id())

    def addExpectedFailure(self, test, error):
        self.verdict = "expected-failure"

    def addUnexpectedSuccess(self, test):
        self.verdict = "unexpected-success"


def main():
    path, module, *patterns = sys.argv[1:]
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{pattern}*" for pattern in patterns] or None
    with open(path, "w") as file:
        loader.loadTestsFromName(f"test.{module}").run(Verdicts(file))


if __name__ == "__main__":  # a child that multiprocessing spawns imports this file
    main()
