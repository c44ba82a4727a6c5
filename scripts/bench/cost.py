"""Sections on time: whole programs, pairs of malloc and free, threads, start-up, instructions."""
import json
import os
import random
import re
import shutil
import subprocess
import sys

from runs import HERE, Figures, Section, Table, helper, say_skipped

WORKLOADS = HERE / "workloads"

# ---- workloads: each function returns (command, standard input), or says why not ----


class Missing(Exception):
    pass


def find(program):
    path = shutil.which(program)
    if path is None:
        raise Missing(f"{program} is not installed")
    return path


def python3(bench):
    """Not isolated by -I, which ignores PYTHONMALLOC."""
    return [os.path.realpath(sys.executable), "-S", WORKLOADS / "records.py", bench.amount(45)], None


def sqlite3(bench):
    return [find("sqlite3"), ":memory:"], WORKLOADS / "orders.sql"


def cc1plus(bench):
    def ask(*words):
        return subprocess.run([find("g++"), *words], capture_output=True, text=True).stdout.strip()
    compiler = ask("-print-prog-name=cc1plus")
    if not os.path.isabs(compiler):
        raise Missing("g++ has no cc1plus")
    multiarch = ask("-print-multiarch")
    return [compiler, "-quiet", *(["-imultiarch", multiarch] if multiarch else []), "-D_GNU_SOURCE", "-O1",
            "-std=c++20", WORKLOADS / "headers.cc", "-o", os.devnull], None


def objects(bench):
    return [helper("objects"), bench.amount(12000)], None


def perl(bench):
    return [find("perl"), WORKLOADS / "words.pl", bench.amount(12)], None


def document(bench, suffix, rows, render):
    """A generated file, the same in each run."""
    path = bench.directory / f"document.{suffix}"
    if not path.exists():
        chance = random.Random(11)
        path.write_text(render([{"id": i, "name": f"name {chance.randrange(5000)}",
                                 "tags": [f"t{chance.randrange(99)}" for _ in range(chance.randrange(1, 6))]}
                                for i in range(bench.amount(rows))]))
    return path


def to_xml(rows):
    parts = (f"<row id='{row['id']}' name='{row['name']}'>{''.join(f'<tag>{t}</tag>' for t in row['tags'])}</row>"
             for row in rows)
    return f"<rows>{''.join(parts)}</rows>"


def xmllint(bench):
    return [find("xmllint"), "--xpath", "count(//row[tag='t7'])", document(bench, "xml", 150_000, to_xml)], None


def jq(bench):
    return [find("jq"), "[group_by(.name)[] | {name: .[0].name, tags: (map(.tags[]) | unique)}] | length",
            document(bench, "json", 40_000, json.dumps)], None


COMMANDS = {f.__name__: f for f in (python3, sqlite3, cc1plus, objects, perl, xmllint, jq)}


def run_workloads(bench, names):
    table = Table(("workload", 9), ("tool", 10), ("CPU s", 24), ("ratio", 22), ("resident", 8), ("", 0))
    for name in names:
        try:
            command, stdin = COMMANDS[name](bench)
        except Missing as missing:
            say_skipped(name, missing)
            continue
        results = bench.alternate(lambda tool: bench.run(tool, command, stdin))
        report_workload(table, name, results)


def report_workload(table, name, results):
    seconds = {tool: Figures(r.cpu_s for r in rs) for tool, rs in results.items()}
    resident = {tool: Figures(r.resident_bytes for r in rs).median() for tool, rs in results.items()}
    base = seconds["native"].median()
    expected = (results["native"][0].status, results["native"][0].output)
    for tool, figures in seconds.items():
        wrong = any((r.status, r.output) != expected for r in results[tool])
        table.row(name, tool, figures.text("%.3f"), figures.text("x%.2f", 1 / max(base, 1e-3)),
                  "x%.2f" % (resident[tool] / resident["native"]),
                  "OUTPUT OR STATUS DIFFERS" if wrong else "" if expected[0] == 0 else f"EXIT STATUS {expected[0]}")


# ---- pairs ----

PATTERNS = {"a5": 3_000_000, "a20": 3_000_000, "a60": 3_000_000, "t20": 1_000_000, "f20": 1_500_000}


def pairs_command(name, pairs):
    return [helper("pairs"), name[0], name[1:], pairs]


def run_pairs(bench, names):
    table = Table(("pattern", 9), ("tool", 10), ("ns added per pair", 30))
    for row in names:
        name = row.removeprefix("micro-")
        command = pairs_command(name, bench.amount(PATTERNS[name]))
        report_added(table, row, bench.alternate(lambda tool: first(bench.numbers(tool, command))))


def first(numbers):
    return numbers[0] if numbers else None


def report_added(table, name, figures, pattern="%.1f"):
    base = figures["native"].median()
    for tool, of_tool in figures.items():
        text = of_tool.text(pattern) if tool == "native" else of_tool.text(pattern.replace("%", "%+"), less=base)
        table.row(name, tool, text)


THREADS = {f"threads-{n}": n for n in (1, 2, 4, 8)}


def run_threads(bench, names):
    table = Table(("threads", 9), ("tool", 10), ("CPU ns added per pair", 30))
    for name in names:
        command = [helper("handover"), THREADS[name], bench.amount(4_000_000)]
        report_added(table, name, bench.alternate(lambda tool: first(bench.numbers(tool, command, pinned=False))))


# ---- start-up ----

STARTS = 20
STARTUP = {"true-wall": lambda result: result.wall_s, "true-cpu": lambda result: result.cpu_s}


def run_startup(bench, names):
    """Many starts a round, since one is below a millisecond; the figure of a round is their median."""
    table = Table(("start-up", 9), ("tool", 10), ("ms added", 30))
    runs = [bench.alternate(lambda tool: bench.run(tool, ["/bin/true"])) for _ in range(STARTS)]
    for name in names:
        figure = STARTUP[name]
        medians = {tool.name: Figures(Figures(figure(run[tool.name][i]) * 1e3 for run in runs).median()
                                      for i in range(bench.rounds)) for tool in bench.tools}
        report_added(table, name, medians, "%.2f")


# ---- instructions ----


def run_instructions(bench, names):
    if shutil.which("valgrind") is None:
        say_skipped("instructions", "valgrind is not installed")
        return
    table = Table(("pattern", 9), ("tool", 10), ("instructions per pair", 22), ("added", 8))
    for row in names:
        name, base = row.removeprefix("instr-"), None
        for tool in bench.tools:
            count = instructions_per_pair(bench, tool, name)
            base = count if tool.name == "native" else base
            table.row(row, tool.name, *instruction_cells(count, base, tool.name == "native"))


def instruction_cells(count, base, native):
    if count is None:
        return "failed", ""
    if native or base is None:
        return "%.1f" % count, ""
    return ("does not trace here", "") if count - base < 1 else ("%.1f" % count, "%+.1f" % (count - base))


def instructions_per_pair(bench, tool, name):
    """Of the second half of a run: what starting and first stacks cost is in the first."""
    few = bench.amount(100_000, least=2000)
    runs = [count_instructions(bench, tool, pairs_command(name, pairs)) for pairs in (few, 2 * few)]
    if None in runs:
        return None
    (short, short_pairs), (long, long_pairs) = runs
    return (long - short) / (long_pairs - short_pairs)


def count_instructions(bench, tool, command):
    """By way of env, which becomes the program: valgrind's own start script is not to be traced, and heaptrack
    takes itself out of what a traced program starts."""
    out = bench.directory / "callgrind.out"
    added = [f"{name}={value}" for name, value in tool.environment.items()]
    result = bench.run(bench.tool("native"), ["valgrind", "--tool=callgrind", "--trace-children=yes",
                                              f"--callgrind-out-file={out}", "--", "env", *added, *command])
    if result.status != 0 or not out.exists():
        return None
    found = re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.M)
    out.unlink()
    return (int(found.group(1)), int(result.output.split()[1])) if found else None


SECTIONS = (
    Section("workloads", "CPU time and resident memory of whole programs", tuple(COMMANDS), run_workloads),
    Section("micro", "a pair of malloc and free, by the pattern of stacks", tuple(f"micro-{p}" for p in PATTERNS),
            run_pairs),
    Section("threads", "a pair whose block another thread frees", tuple(THREADS), run_threads),
    Section("startup", f"/bin/true, the median of {STARTS} starts a round", tuple(STARTUP), run_startup),
    Section("instructions", "a pair, counted by callgrind", tuple(f"instr-{p}" for p in PATTERNS), run_instructions),
)
