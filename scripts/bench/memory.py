"""Sections on memory: what a tracer keeps in a process for each live block and for each stack.

A helper program reads its own resident bytes before and after it allocates. What these grow by more than
without a tracer is the tracer's: its tables, its image, and what it makes the allocator take."""
from runs import Figures, Section, Table, helper

BLOCKS = {"24": 1_000_000, "64": 1_000_000, "200": 400_000, "1000": 100_000, "65536": 2_000, "mix": 300_000}
STACKS = {"stacks-10k": 10_000, "stacks-100k": 100_000}


def run_blocks(bench, names):
    table = Table(("size", 13), ("tool", 10), ("bytes per live block", 24), ("of the blocks", 14),
                  ("tracer KiB: all live, all freed", 0))
    for row in names:
        size = row.removeprefix("blocks-")
        count = bench.amount(BLOCKS[size], least=100)
        command = [helper("blocks"), 0 if size == "mix" else size, count]
        report_blocks(table, row, count, bench.alternate(lambda tool: bench.numbers(tool, command)))


def report_blocks(table, row, count, results):
    live = {tool: Figures(full - before for before, full, _, _ in rs) for tool, rs in results.items()}
    left = {tool: Figures(freed - before for before, _, freed, _ in rs) for tool, rs in results.items()}
    asked = results["native"][0][3]
    base, base_left = live["native"].median(), left["native"].median()
    table.row(row, "native", "%.1f" % (base / count), "%.1f %%" % (100 * base / asked))
    for tool in (name for name in results if name != "native"):
        table.row(row, tool, live[tool].text("%.1f", 1 / count, base),
                  "%.1f %%" % (100 * (live[tool].median() - base) / asked),
                  "%.0f, %.0f" % ((live[tool].median() - base) / 1024, (left[tool].median() - base_left) / 1024))


def run_stacks(bench, names):
    """Twice as many stacks less as many, so that what does not grow with them is not counted."""
    table = Table(("stacks", 13), ("tool", 10), ("bytes per stack and block", 30))
    for row in names:
        count = bench.amount(STACKS[row], least=100)
        growth = bench.alternate(lambda tool: bytes_per_stack(bench, tool, count))
        base = growth["native"].median()
        for tool, figures in growth.items():
            table.row(row, tool, figures.text("%.1f", 1, 0 if tool == "native" else base))


def bytes_per_stack(bench, tool, count):
    grown = []
    for stacks in (count, 2 * count):
        numbers = bench.numbers(tool, [helper("stacks"), stacks, "memory"], HEAPTALLY_MEMORY="4G")
        if numbers is None:
            return None
        grown.append(numbers[1] - numbers[0])
    return (grown[1] - grown[0]) / count


SECTIONS = (
    Section("blocks", "a tracer's resident bytes for each live block; native: the allocator's",
            tuple(f"blocks-{size}" for size in BLOCKS), run_blocks),
    Section("stacks", "a tracer's resident bytes for each distinct stack with one block live", tuple(STACKS),
            run_stacks),
)
