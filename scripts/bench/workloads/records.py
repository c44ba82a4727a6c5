"""A Python program that allocates as many do: parses, indexes, sorts and renders records. Prints a checksum."""
import json
import random
import sys

random.seed(7)


class Record:
    def __init__(self, number, tags, nested):
        self.number, self.tags, self.nested = number, tags, nested


def make_nested(depth):
    if depth == 0:
        return random.choice((random.random(), f"leaf {random.randrange(500)}", random.randrange(10 ** 9), None))
    if random.random() < 0.4:
        return [make_nested(depth - 1) for _ in range(random.randrange(1, 5))]
    return {f"key{random.randrange(80)}": make_nested(depth - 1) for _ in range(random.randrange(1, 5))}


def leaves(value):
    if isinstance(value, dict):
        for child in value.values():
            yield from leaves(child)
    elif isinstance(value, list):
        for child in value:
            yield from leaves(child)
    else:
        yield value


def index(records):
    by_tag = {}
    for record in records:
        for tag in record.tags:
            by_tag.setdefault(tag, []).append(record)
    return {tag: sorted(found, key=lambda record: str(record.number)[::-1]) for tag, found in by_tag.items()}


def one_round(number, documents):
    text = json.dumps(documents)
    count = sum(1 for _ in leaves(json.loads(text)))
    records = [Record(i, [f"tag{i % 97}", f"tag{i * number % 89}"], {"i": (i, str(i))}) for i in range(9000)]
    rendered = "\n".join(f"{tag}: {','.join(str(r.number) for r in found)}" for tag, found in index(records).items())
    return count + len(rendered.replace(",", ", ").split())


def main():
    rounds = int(sys.argv[1])
    documents = [make_nested(6) for _ in range(60)]
    print(sum(one_round(number, documents) for number in range(rounds)))


main()
