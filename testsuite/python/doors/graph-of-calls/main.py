"""Runs a diamond of calls in each way, then one with a failure and one with a cycle."""

import os
from pathlib import Path

from testloom.graph import SCHEDULERS, AsyncMP, GraphError

Path("numbers.txt").write_text("1 2 3 4\n")


def read(path):
    return [int(word) for word in Path(path).read_text().split()]


def smallest_and_largest(numbers):
    return min(numbers), max(numbers)


def text(total, span):
    return f"{total} in all, from {span[0]} to {span[1]}"


graph = {
    "numbers": (read, "numbers.txt"),
    "total": (sum, "numbers"),
    "span": (smallest_and_largest, "numbers"),
    "text": (text, "total", "span"),
}
for name in SCHEDULERS:
    with SCHEDULERS[name](2) as scheduler:
        print(f"{name}: {scheduler.run(graph)['text']}")

try:
    AsyncMP(2).run(graph | {"span": (os._exit, 3)})
except GraphError as error:
    print(str(error).splitlines()[0])
    print(str(error).splitlines()[-1])

try:
    AsyncMP(2).run(graph | {"numbers": (list, "text")})
except ValueError as error:
    print(error)
