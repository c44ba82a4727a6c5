"""Sections on snapshots, of heaptally alone: how long the program is held up, how large the file is, how long
`heaptally top` takes to read it."""
import os
import subprocess
import time

from runs import Figures, Section, Table, helper, say_skipped

COUNTS = {"10k": 10_000, "100k": 100_000, "1M": 1_000_000}
BUDGET = "4G"  # so that the largest of them is kept whole


def usable(bench, what):
    if bench.tool("heaptally") is None:
        say_skipped(what, "heaptally is not among the tools")
    elif not os.path.exists(bench.command):
        say_skipped(what, f"there is no command {bench.command}")
    else:
        return True
    return False


def run_handler(bench, names):
    """The signal handler writes the snapshot, so raise() takes as long as that."""
    if not usable(bench, "snapshots"):
        return
    table = Table(("stacks", 13), ("pause ms", 24), ("file MiB", 9), ("top s", 22), ("top MiB", 0))
    for row in names:
        rounds = [one_signal(bench, bench.amount(COUNTS[row.removeprefix("signal-")], least=100))
                  for _ in range(bench.rounds)]
        rounds = [figures for figures in rounds if figures is not None]
        if not rounds:
            table.row(row, "failed")
            continue
        pauses, sizes, seconds, resident = (Figures(column) for column in zip(*rounds))
        table.row(row, pauses.text("%.2f", 1e-6), "%.2f" % (sizes.median() / 2**20), seconds.text("%.2f"),
                  "%.0f" % (resident.median() / 2**20))


def one_signal(bench, count):
    """(ns in raise, bytes of the file, seconds of top, its resident bytes)"""
    pause = bench.numbers(bench.tool("heaptally"), [helper("stacks"), count, "signal"], keep=True,
                          HEAPTALLY_MEMORY=BUDGET)
    files = bench.snapshots()
    if not pause or not files:
        bench.remove_snapshots()
        return None
    first = min(files, key=lambda path: path.stat().st_mtime_ns)  # the exit's snapshot is a second one
    size = first.stat().st_size
    top = bench.run(bench.tool("native"), [bench.command, "top", first])
    return (pause[0], size, top.wall_s, top.resident_bytes) if top.status == 0 else None


def run_outside(bench, names):
    """The longest that one allocation took, while the snapshot was taken and for as long without one: on a
    machine with other work that is what the scheduler does."""
    if not usable(bench, "outside"):
        return
    table = Table(("stacks", 13), ("snapshot s", 24), ("longest stall ms", 26), ("without a snapshot", 24), ("MiB", 0))
    for row in names:
        rounds = [one_from_outside(bench, bench.amount(COUNTS[row.removeprefix("outside-")], least=100))
                  for _ in range(bench.rounds)]
        rounds = [figures for figures in rounds if figures is not None]
        if not rounds:
            table.row(row, "failed")
            continue
        seconds, during, quiet, sizes = (Figures(column) for column in zip(*rounds))
        table.row(row, seconds.text("%.3f"), during.text("%.3f", 1e-6), quiet.text("%.3f", 1e-6),
                  "%.2f" % (sizes.median() / 2**20))


def one_from_outside(bench, count):
    """(seconds of the command, ns of the longest stall during it and without it, bytes of the file)"""
    environment = bench.environment(**bench.tool("heaptally").environment, HEAPTALLY_MEMORY=BUDGET)
    with subprocess.Popen([helper("stacks"), str(count), "outside"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True, bufsize=1, env=environment) as process:
        try:
            return watch(bench, process, environment["HEAPTALLY_DIR"])
        finally:
            process.stdin.close()
            process.wait()
            bench.remove_snapshots()


def ask(process):
    process.stdin.write("?")
    process.stdin.flush()
    return float(process.stdout.readline())


def watch(bench, process, images):
    if process.stdout.readline() != "ready\n":
        return None
    out = bench.directory / "outside.hts"
    environment = bench.environment(HEAPTALLY_DIR=images)
    ask(process)
    start = time.monotonic()
    taken = subprocess.run([bench.command, "snapshot", "-o", out, str(process.pid)], env=environment,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    seconds = time.monotonic() - start
    during = ask(process)
    if taken.returncode != 0:
        say_skipped("outside", taken.stderr.strip())
        return None
    time.sleep(seconds)
    return seconds, during, ask(process), out.stat().st_size


SECTIONS = (
    Section("snapshots", "by the signal handler: the pause, the file, and the time of top on it",
            tuple(f"signal-{n}" for n in COUNTS), run_handler),
    Section("outside", "by the command: the longest that one malloc and free took meanwhile",
            tuple(f"outside-{n}" for n in COUNTS), run_outside),
)
