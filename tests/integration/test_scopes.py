"""Scopes and tags as keys and filters: programs/scopes.c says what there is in each, of several threads."""

import collections
import fnmatch
import json
import re

from heaptally_test import PROGRAMS, TestCase, main

OWN = ("--raw", "--module", "scopes")  # not what the loader and libc allocate for threads
PLACES = ("thread", "scope", "tag", "domain")
Account = collections.namedtuple("Account", PLACES + ("live_blocks", "live_bytes", "allocations", "allocated_bytes"))
SCOPES = {None, "work", "work/parse", "work/parse/lex", "parse"}


def inside(scope, pattern):
    """As the manual has it: the scope's whole name matches, or that of one around it."""
    if scope is None or not pattern:
        return scope is None and not pattern
    parts = scope.split("/")
    return any(fnmatch.fnmatchcase("/".join(parts[:n + 1]), pattern) for n in range(len(parts)))


def tagged(tag, pattern):
    if tag is None or not pattern:
        return tag is None and not pattern
    return fnmatch.fnmatchcase(tag, pattern)


class ScopesTest(TestCase):
    def setUp(self):
        super().setUp()
        environment = self.environment(HEAPTALLY_OUT=self.directory / "%l%n.hts")
        done = self.run_program([PROGRAMS / "scopes"], environment=environment, input=b"\n\n")
        self.assertEqual(done.stderr, b"")
        self.told = self.accounts(done.stdout)
        self.before, self.after = self.directory / "before1.hts", self.directory / "after2.hts"

    @staticmethod
    def accounts(text):
        """What the program told: {label: [Account, ...]}."""
        told = collections.defaultdict(list)
        for label, thread, scope, tag, *numbers in (line.split("\t") for line in text.decode().splitlines()
                                                    if "\t" in line):
            told[label].append(Account(int(thread), scope or None, tag or None, *map(int, numbers)))
        return told

    def expected(self, label, keys, metric="live", keep=lambda account: True):
        """{values of the keys: (count, size)}"""
        count, size = {"live": ("live_blocks", "live_bytes"), "total": ("allocations", "allocated_bytes")}[metric]
        rows = collections.defaultdict(lambda: (0, 0))
        for account in filter(keep, self.told[label]):
            key = tuple(getattr(account, name) for name in keys)
            rows[key] = (rows[key][0] + getattr(account, count), rows[key][1] + getattr(account, size))
        return {key: value for key, value in rows.items() if value != (0, 0)}

    def found(self, source, keys, *options):
        rows = self.top(source, *OWN, "-k", ",".join(keys), *options)["rows"]
        found = {tuple(row[name] for name in keys): (row["count"], row["size"]) for row in rows}
        self.assertEqual(len(found), len(rows))
        return found

    def test_keys(self):
        self.assertEqual({scope for scope, in self.expected("after", ["scope"])}, SCOPES)
        for label, source in (("before", self.before), ("after", self.after)):
            for keys in (["scope"], ["tag"], ["scope", "tag"], ["tag", "domain", "scope"]):
                with self.subTest(label=label, keys=keys):
                    self.assertEqual(self.found(source, keys), self.expected(label, keys))

    def test_keys_by_thread(self):
        for keys in (["scope", "thread"], ["thread", "tag", "scope"]):
            self.assertEqual(self.found(self.after, keys, "--metric", "total"), self.expected("after", keys, "total"))
        self.assertEqual(len({account.thread for account in self.told["after"]}), 5)

    def test_rows(self):
        text = self.heaptally("top", *OWN, "-k", "scope", self.after)
        self.assertEqual(text.stderr, "")
        for (scope,), (count, _) in self.expected("after", ["scope"]).items():
            self.assertRegex(text.stdout, rf"(?m)^{'scope ' + scope if scope else 'no scope'}: size=.*, count={count},")
        text = self.heaptally("top", *OWN, "-k", "function,tag,scope,domain", self.after).stdout
        self.assertRegex(text, r"(?m)^take \(.*scopes\.c\), tag odd, scope work/parse, domain 0: size=")
        self.assertRegex(text, r"(?m)^heaptally_track \(.*heaptally\.h\), no tag, no scope, domain pool: size=600 B")

    def test_domains_are_named_beside(self):
        rows = self.top(self.after, "-k", "domain,tag")["rows"]
        self.assertEqual({row["domain"]: row.get("domain_name") for row in rows}, {0: None, 7: "pool", 389047: "device"})

    def assert_parted(self, what, pattern, takes):
        """One filter takes what it should, and the same that excludes leaves the rest."""
        for option, keep in ((f"--{what}", takes), (f"--exclude-{what}", lambda account: not takes(account))):
            with self.subTest(option=option, pattern=pattern):
                self.assertEqual(self.found(self.after, PLACES[1:], option, pattern),
                                 self.expected("after", PLACES[1:], keep=keep))

    def test_filters(self):
        for pattern in ("work", "work/parse", "parse", "*parse", "*/parse", "*", "w?rk", "[!w]*", "wor", "work/", "lex", ""):
            self.assert_parted("scope", pattern, lambda account: inside(account.scope, pattern))
        for pattern in ("odd", "o*", "*", "even", "eve", ""):
            self.assert_parted("tag", pattern, lambda account: tagged(account.tag, pattern))

    def test_filters_together(self):
        """Any of a list, each of the lists, and none that excludes."""
        self.assertEqual(self.found(self.after, PLACES[1:], "--scope", "parse", "--scope", "work", "--tag", "odd",
                                    "--tag", "", "--exclude-scope", "work/parse/lex"),
                         self.expected("after", PLACES[1:], keep=lambda account: account.scope
                                       and account.tag != "even" and account.scope != "work/parse/lex"))
        self.assertEqual(self.found(self.after, PLACES[1:], "--scope", "work", "--domain", "pool"),
                         {("work", None, 7): (1, 500)})

    def test_a_scope_has_the_sum_that_info_has(self):
        scopes = json.loads(self.heaptally("info", "--json", self.after).stdout)["scopes"]
        self.assertEqual({scope["name"] for scope in scopes}, SCOPES - {None})
        for scope in scopes:
            rows = self.top(self.after, "-k", "scope", "--scope", scope["name"])["rows"]
            self.assertEqual(sum(row["size"] for row in rows), scope["live_bytes"], scope)
            self.assertEqual(sum(row["count"] for row in rows), scope["live_blocks"], scope)

    def changes(self, keys):
        old, new = self.expected("before", keys), self.expected("after", keys)
        return {key: (new.get(key, (0, 0))[1], new.get(key, (0, 0))[1] - old.get(key, (0, 0))[1])
                for key in old | new}

    def test_diff(self):
        for keys in (["scope"], ["tag", "scope"]):
            report = self.json_of("diff", "-n", 0, "-k", ",".join(keys), *OWN, self.before, self.after)
            self.assertEqual({tuple(row[name] for name in keys): (row["size"], row["size_diff"])
                              for row in report["rows"]}, self.changes(keys))
        self.assertEqual(self.changes(["scope"])["parse",], (20, 20))
        text = self.heaptally("diff", "-k", "scope", "--bare", *OWN, self.before, self.after).stdout
        self.assertEqual(text.splitlines()[0],
                         "scope work/parse: size=680 B (-120 B), count=6 (+2), average=113 B")
        self.assertIn("scope parse: size=20 B (+20 B), count=4 (+4)", text)

    def test_growth(self):
        rows = self.heaptally("growth", "-k", "scope", "--bare", *OWN, self.before, self.after).stdout.splitlines()
        self.assertEqual(rows, ["scope parse: size=20 B (+20 B), count=4 (+4), average=5 B"])

    def test_dump_and_import_leave_them_out(self):
        text = self.directory / "a.txt"
        text.write_text(self.heaptally("dump", self.after).stdout)
        self.heaptally("import", text, "-o", self.directory / "imported.hts")
        done = self.heaptally("top", "-k", "scope,tag", "--bare", self.directory / "imported.hts")
        self.assertRegex(done.stdout, r"^no scope, no tag: size=.*\n$")
        self.assertIn("it has no scopes", done.stderr)


class RunningTest(TestCase):
    def test_delta_and_growth(self):
        process = self.start_program([PROGRAMS / "scopes"], stdin=-1)
        self.read_until(process, b"before\n")
        first = self.heaptally("delta", "-k", "scope", *OWN, process.pid)
        self.assertIn("first look", first.stderr)
        self.assertIn("scope work/parse/lex: size=120 B, count=4", first.stdout)
        self.heaptally("growth", "-k", "scope", *OWN, process.pid)
        process.stdin.write(b"\n")
        process.stdin.flush()
        self.read_until(process, b"after\n")
        rows = self.heaptally("delta", "-k", "scope", "--bare", *OWN, process.pid).stdout.splitlines()
        self.assertIn("scope work/parse: size=680 B (-120 B), count=6 (+2), average=113 B", rows)
        self.assertEqual(self.heaptally("growth", "-k", "scope", "--bare", *OWN, process.pid).stdout,
                         "scope parse: size=20 B (+20 B), count=4 (+4), average=5 B\n")

    def read_until(self, process, line):
        while (got := process.stdout.readline()) != line:
            self.assertTrue(got, "it has ended")


class NoScopesTest(TestCase):
    def setUp(self):
        super().setUp()
        self.run_program([PROGRAMS / "peak"])
        self.path = self.only(self.snapshots())

    def test_everything_is_of_none(self):
        done = self.heaptally("top", "-k", "scope,tag", "--metric", "total", self.path)
        self.assertRegex(done.stdout, r"^\[ Top 10 \S.* \]\nno scope, no tag: size=")
        self.assertEqual(done.stderr.count("\n"), 2)
        self.assertIn(f"heaptally: {self.path}: it has no scopes; a program opens them with heaptally_scope_begin",
                      done.stderr)
        self.assertIn(f"heaptally: {self.path}: it has no tags; a program sets them with heaptally_set_tag", done.stderr)
        row = self.only(self.top(self.path, "-k", "scope,tag", "--metric", "total")["rows"])
        self.assertEqual((row["scope"], row["tag"]), (None, None))

    def test_filters_say_so(self):
        for option, what in (("--scope", "scopes"), ("--tag", "tags"), ("--exclude-scope", "scopes"),
                             ("--exclude-tag", "tags")):
            done = self.heaptally("top", option, "x", "--metric", "total", "--bare", self.path)
            self.assertTrue(re.fullmatch(rf"heaptally: \S+: it has no {what}; .*\n", done.stderr), done.stderr)
            self.assertEqual(done.stdout == "", not option.startswith("--exclude"))

    def test_nothing_is_said_where_nothing_asks(self):
        self.assertEqual(self.heaptally("top", "--metric", "total", self.path).stderr, "")


main()
