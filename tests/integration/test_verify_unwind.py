"""test_verify_unwind.py [NAME [SCALE]]: stacks of real programs, and of one made to be hard, found twice.

With HEAPTALLY_VERIFY_UNWIND=N the library finds every N-th stack once more by libunwind's unw_step, from the same
point, and compares all frames. There must be no mismatch, and as many comparisons as expected, so that a run that
compared nothing does not pass. Without NAME all programs; SCALE (1) makes longer runs, and from 10 on every stack is
verified: at 20, more than a million of each program that loops."""

import json
import shutil
import subprocess
import sys

from heaptally_test import PROGRAMS, TestCase, main

SCALE = int(sys.argv.pop(2)) if len(sys.argv) > 2 else 1
ONLY = sys.argv.pop(1) if len(sys.argv) > 1 else None

PYTHON = """
import json, sys
for i in range(int(sys.argv[1])):
    rows = [{"number": n, "text": str(n), "list": [n, [n + 1]]} for n in range(1500)]
    back = json.loads(json.dumps(rows))
    print(len(sorted(back, key=lambda row: row["text"])))
"""
SQL = """create table t as with recursive n(i) as (select 1 union all select i + 1 from n where i < {rows})
         select i, hex(i) as x from n; create index u on t(x); select count(*), sum(length(x || i)) from t;
         select count(distinct upper(x)) from t; select max(length(l)) from
         (select group_concat(x) as l from t group by i % 97);"""
PERL = """for my $round (1 .. shift) {
    my %h; push @{ $h{$_ % 777} }, "x$_" for 1 .. 20000;
    print scalar(map { sort @$_ } values %h), "\\n"; }"""
NODE = """for (let round = 0; round < +process.argv[1]; round++) {
    const rows = Array.from({length: 3000}, (_, i) => ({i, text: 'row ' + i, big: BigInt(i) ** 9n}));
    const text = rows.map(row => Buffer.from(row.text).toString('base64') + row.big).sort().join();
    console.log(text.length, text.replace(/[a-z]+(\\d)/g, '<$1>').length, new Uint8Array(100000 + round).length); }"""
CXX = """#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <regex>
#include <string>
int f(std::map<std::string, int> &m) { return std::regex_match("a", std::regex("a+")) + m["x"]++; }
"""


def cc1plus():
    compiler = subprocess.run(["g++", "-print-prog-name=cc1plus"], capture_output=True, text=True).stdout.strip()
    multiarch = subprocess.run(["g++", "-print-multiarch"], capture_output=True, text=True).stdout.strip()
    return [compiler, "-quiet", *(["-imultiarch", multiarch] if multiarch else []), "-D_GNU_SOURCE", "-O1"]


def torture():
    return [PROGRAMS / "torture", 2500 * SCALE, *(PROGRAMS / f"libtorture_plugin_{room}.so" for room in (24, 1400))]


class VerifyUnwindTest(TestCase):
    def verify(self, name, command, every, at_least, **variables):
        """Traces the command; every `every`-th stack, and at least so many of them, must be the same twice."""
        if ONLY not in (None, name):
            self.skipTest("not asked for")
        every = every if SCALE < 10 else 1
        environment = self.environment(HEAPTALLY_VERIFY_UNWIND=every, **variables)
        plain = self.run_program(command, traced=False)
        done = self.run_program(command, environment=environment)
        self.assertEqual((done.stdout, done.stderr), (plain.stdout, plain.stderr))
        facts = [json.loads(self.heaptally("info", path, "--json").stdout) for path in self.snapshots()]
        verified = sum(fact["verified_stacks"] for fact in facts)
        mismatched = sum(fact["mismatched_stacks"] for fact in facts)
        print(f"{name}: {verified:,} stacks verified, {mismatched:,} mismatches")
        self.assertEqual(mismatched, 0, "\n".join(self.heaptally("info", path).stdout for path in self.snapshots()))
        self.assertGreaterEqual(verified, at_least)

    def test_python3(self):
        # Not isolated by -I, which ignores PYTHONMALLOC.
        self.verify("python3", ["/usr/bin/python3", "-S", "-c", PYTHON, 10 * SCALE], 7, 20000 * SCALE,
                    PYTHONMALLOC="malloc")

    def test_sqlite3(self):
        self.verify("sqlite3", ["sqlite3", ":memory:", SQL.format(rows=20000 * SCALE)], 2, 20000 * SCALE)

    def test_perl(self):
        self.verify("perl", ["perl", "-e", PERL, 2 * SCALE], 2, 20000 * SCALE)

    def test_node(self):
        if shutil.which("node") is None:
            self.skipTest("node is not installed")
        # without the certificates that it would read at its start: not all machines have them
        self.verify("node", ["node", "-e", NODE, 2 * SCALE], 1, 20000, NODE_EXTRA_CA_CERTS="")

    def test_cc1plus(self):
        source = self.directory / "source.cc"
        source.write_text(CXX)
        self.verify("cc1plus", [*cc1plus(), source, "-o", "/dev/null"], 41, 20000)

    def test_torture(self):
        self.verify("torture", torture(), 1, 150000 * SCALE)


main()
