"""Compares testloom with other runners on the same work, in one command.

    python benchmarks/run.py --tests 1000,10000 -j 2 --repeat 3 --json figures.json

Declared before any run: the figure is the median wall time of `--repeat` runs, taken from outside
with the monotonic clock; the peers take turns, one run each per round, each round beginning with
another; no run is thrown away.  A peer that does not pass every test in every run gets no figure.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

import machine
from environments import REPOSITORY, Environments
from peers import FLOOR, peer_names
from report import Comparison
from rounds import found, rehearsed, take_turns, trees_grown
from table import Row


def main() -> int:
    """Compare what the command line asks for; 1 if a peer did not do the whole work."""
    options = parsed_options()
    about, load_before = machine.describe(options.cache), machine.load()
    work = options.cache / "work"
    peers, missing = found(options.only, Environments(options.cache))
    peers, failed = rehearsed(peers, work, options.jobs)
    if FLOOR in failed | missing:
        sys.exit(f"there is nothing to compare with: {FLOOR}: {(failed | missing)[FLOOR]}")
    tables: dict[int, list[Row]] = {}
    for tests in options.tests:
        entries = trees_grown(peers, work, tests, options.jobs, first=not tables)
        take_turns(entries, options.repeat)
        tables[tests] = [entry.row() for entry in entries]
    comparison = Comparison(
        machine=about,
        load_before=load_before,
        load_after=machine.load(),
        peers=peers,
        missing=missing | failed,
        tables=tables,
    )
    print(comparison.text())
    if options.json:
        options.json.write_text(json.dumps(comparison.as_json(), indent=1) + "\n")
    if failed or any(row.trouble for rows in tables.values() for row in rows):
        print(f"the last outputs are in {work}", file=sys.stderr)
        return 1
    shutil.rmtree(work)
    return 0


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--tests", type=_numbers, default=[1000, 10000], metavar="N,...")
    parser.add_argument("-j", "--jobs", type=_numbers, default=[2], metavar="N,...")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample here")
    parser.add_argument("--only", type=peer_names, default=peer_names(), metavar="PEER,...")
    parser.add_argument("--quick", action="store_true", help="200 tests, one round")
    parser.add_argument(
        "--cache",
        type=Path,
        default=REPOSITORY / ".run-tests" / "bench",
        metavar="DIR",
        help="where peers are installed and the work is done",
    )
    options = parser.parse_args()
    if options.quick:
        options.tests, options.repeat = [200], 1
    options.cache = options.cache.resolve()
    options.cache.mkdir(parents=True, exist_ok=True)
    return options


def _numbers(text: str) -> list[int]:
    """Return the positive numbers in *text*, ascending: the first is what others are judged by."""
    numbers = sorted({int(word) for word in text.split(",")})
    if numbers[0] < 1:
        raise argparse.ArgumentTypeError(f"not a positive number: {numbers[0]}")
    return numbers


if __name__ == "__main__":
    sys.exit(main())
