"""What all sections share: the tools, how a program is run under one of them, medians and tables.

Writes into build/bench (helper programs) and a temporary directory, which goes away at the end. That one is in
/dev/shm where there is one: images of heaptally are there by default, and snapshots cost no disk."""
import collections
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build" / "bench"
HEAPTRACK = ("/usr/lib/heaptrack/libheaptrack_preload.so", "/usr/lib64/heaptrack/libheaptrack_preload.so",
             "/usr/lib/x86_64-linux-gnu/heaptrack/libheaptrack_preload.so")

Section = collections.namedtuple("Section", "name what rows run")
Tool = collections.namedtuple("Tool", "name environment")
Result = collections.namedtuple("Result", "cpu_s wall_s resident_bytes status output")


class Problem(Exception):
    """What keeps the bench from running at all."""


class Figures(list):
    """One figure of each round."""

    def median(self):
        return statistics.median(self)

    def text(self, pattern, scale=1.0, less=0.0):
        """'median (least-most)', each times `scale` after `less` is taken away."""
        median, least, most = (pattern % ((value - less) * scale) for value in (self.median(), min(self), max(self)))
        return f"{median} ({least} to {most})"


class Table:
    """Rows of cells under headings; a row is printed as soon as it is known."""

    def __init__(self, *columns):
        self.widths = [width for _, width in columns]
        self.row(*(heading for heading, _ in columns))

    def row(self, *cells):
        print("  ".join(str(cell).ljust(width) for cell, width in zip(cells, self.widths)).rstrip(), flush=True)


def say_skipped(what, why):
    print(f"{what}: skipped, {why}", flush=True)


class Bench:
    """The tools, and one temporary directory for as long as the bench runs."""

    def __init__(self, arguments):
        self.rounds, self.scale, self.cpu = arguments.rounds, arguments.scale, arguments.cpu
        self.library, self.command = os.path.abspath(arguments.library), os.path.abspath(arguments.heaptally)
        if not os.path.exists(self.library):
            raise Problem(f"no library {self.library}; build it, or name it with --library")
        shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="heaptally-bench-", dir=shared))
        try:
            self.tools = self.find_tools(arguments)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.directory, ignore_errors=True)

    # ---- tools ----

    def find_tools(self, arguments):
        found = [Tool("native", {}), self.ours("heaptally"), self.ours("libunwind", HEAPTALLY_UNWINDER="libunwind"),
                 *filter(None, (self.varied("sampled", "HEAPTALLY_SAMPLE", "512K"),
                                self.varied("details", "HEAPTALLY_DETAILS", "1"), self.heaptrack()))]
        for word in arguments.libraries:
            name, _, path = word.partition("=")
            if not name or not os.path.isfile(path):
                raise Problem(f"{word}: not NAME=LIBRARY.so of a library that exists")
            found.append(Tool(name, {"LD_PRELOAD": os.path.abspath(path)}))
        wanted = set(filter(None, arguments.tools.split(",")))
        unknown = wanted - {tool.name for tool in found}
        if unknown:
            raise Problem(f"no tool {', '.join(sorted(unknown))}; there are {', '.join(t.name for t in found)}")
        return [tool for tool in found if not wanted or tool.name in wanted | {"native"}]

    def ours(self, name, **variables):
        images = self.directory / "images"
        images.mkdir(mode=0o700, exist_ok=True)
        return Tool(name, {"LD_PRELOAD": self.library, "HEAPTALLY_DIR": str(images),
                           "HEAPTALLY_OUT": str(self.directory / "%p.%n.hts"), **variables})

    def varied(self, name, variable, value):
        """A library that knows the variable refuses nonsense in it; one that does not would trace as it always does."""
        if self.run(self.ours("", **{variable: "nonsense"}), ["true"]).status == 0:
            return say_skipped(name, f"the library does not know {variable}")
        tool = self.ours(name, **{variable: value})
        if self.run(tool, ["true"]).status != 0:
            return say_skipped(name, f"the library refuses {variable}={value}")
        return tool

    def heaptrack(self):
        for path in HEAPTRACK:
            if os.path.exists(path):
                return Tool("heaptrack", {"LD_PRELOAD": path, "DUMP_HEAPTRACK_OUTPUT": "/dev/null"})
        return say_skipped("heaptrack", "its preload library is not installed")

    def tool(self, name):
        return next((tool for tool in self.tools if tool.name == name), None)

    # ---- running ----

    def environment(self, **variables):
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("HEAPTALLY_", "LD_"))}
        return {**inherited, "LC_ALL": "C", "PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0", "PERL_HASH_SEED": "0",
                "PERL_PERTURB_KEYS": "0", **variables}

    def run(self, tool, command, stdin=None, keep=False, pinned=True, **variables):
        """Runs to the end; the standard output is the result's, snapshots are removed unless `keep`."""
        report = self.directory / "report"
        cpu = self.cpu if pinned and self.cpu is not None else -1
        added = [f"{name}={value}" for name, value in {**tool.environment, **variables}.items()]
        with open(stdin or os.devnull, "rb") as source:
            done = subprocess.run([helper("measure"), report, str(cpu), *added, *map(str, command)], stdin=source,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.environment())
        if done.returncode != 0:
            raise Problem(f"{helper('measure')} failed with status {done.returncode}")
        if not keep:
            self.remove_snapshots()
        cpu_us, wall_ns, resident_kib, status = map(int, report.read_text().split())
        return Result(cpu_us / 1e6, wall_ns / 1e9, resident_kib * 1024, status, done.stdout.decode(errors="replace"))

    def snapshots(self):
        return sorted(self.directory.glob("*.hts"))

    def remove_snapshots(self):
        for path in (*self.snapshots(), *self.directory.glob("images/*")):
            path.unlink(missing_ok=True)

    def alternate(self, measure, tools=None):
        """{tool name: Figures} of `rounds` rounds of measure(tool) -> a figure, or None: the tool failed."""
        figures = {}
        for _ in range(self.rounds):
            for tool in tools or self.tools:
                figure = measure(tool)
                if figure is not None:
                    figures.setdefault(tool.name, Figures()).append(figure)
        return figures

    def numbers(self, tool, command, **arguments):
        """The numbers that a helper program prints, or None when it failed."""
        result = self.run(tool, command, **arguments)
        return [float(word) for word in result.output.split()] if result.status == 0 else None

    def amount(self, usual, least=1):
        return max(least, int(usual * self.scale))


# ---- helper programs ----

SOURCES = {"measure": ["measure.c"], "pairs": ["pairs.c"], "handover": ["handover.c"], "objects": ["objects.cc"],
           "blocks": ["blocks.c", "resident.c"], "stacks": ["stacks.c", "resident.c"]}


def helper(name):
    """The path of a helper program, built when it is missing or older than one of its sources."""
    sources = [HERE / "programs" / source for source in SOURCES[name]]
    program = BUILD / name
    newest = max(path.stat().st_mtime for path in (HERE / "programs").iterdir())
    if program.exists() and program.stat().st_mtime > newest:
        return program
    BUILD.mkdir(parents=True, exist_ok=True)
    compiler = os.environ.get("CXX", "c++") if sources[0].suffix == ".cc" else os.environ.get("CC", "cc")
    built = subprocess.run([compiler, "-O2", "-g", "-Wall", "-Wextra", "-pthread", "-o", program, *sources])
    if built.returncode != 0:
        raise Problem(f"{name} could not be built")
    return program
