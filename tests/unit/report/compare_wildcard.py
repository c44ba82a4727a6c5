"""Random patterns and texts: report_wildcard answers as Python's fnmatch.

    compare_wildcard.py REPORT_WILDCARD [PAIRS]
"""

import fnmatch
import random
import subprocess
import sys
import warnings

ALPHABET = "abc-![]*?\\^é/\udcff"


def word(random_numbers, longest):
    return "".join(random_numbers.choices(ALPHABET, k=random_numbers.randrange(longest)))


def pattern(random_numbers):
    """Every second one is a set or two, which are the hard part."""
    if random_numbers.random() < 0.5:
        return word(random_numbers, 9)
    return "*".join(f"[{word(random_numbers, 8)}]" for _ in range(random_numbers.randrange(1, 3)))


def as_hex(text):
    return text.encode("utf-8", "surrogateescape").hex()


def main(program, count=20000):
    warnings.simplefilter("ignore", FutureWarning)  # of re, about sets such as [[a]
    random_numbers = random.Random(4)
    pairs = [(pattern(random_numbers), word(random_numbers, 6)) for _ in range(int(count))]
    lines = "".join(f"{as_hex(left)}\n{as_hex(right)}\n" for left, right in pairs)
    answers = subprocess.run([program, "--pairs"], input=lines, capture_output=True, text=True,
                             check=True).stdout.split()
    if len(answers) != len(pairs):
        sys.exit(f"{len(answers)} answers to {len(pairs)} pairs")
    wrong = [(pair, answer) for pair, answer in zip(pairs, answers)
             if fnmatch.fnmatchcase(pair[1], pair[0]) != (answer == "1")]
    for (left, right), answer in wrong[:20]:
        print(f"pattern {left!r}, text {right!r}: answered {answer}")
    matching = answers.count("1")
    print(f"{len(pairs)} pairs, {matching} match, {len(wrong)} differ")
    sys.exit(bool(wrong) or matching == 0)


main(*sys.argv[1:])
