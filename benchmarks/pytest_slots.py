"""``pytest --slots`` beside pytest alone and beside ``pytest -n`` of pytest-xdist.

    python benchmarks/pytest_slots.py                  # all suites, five rounds
    python benchmarks/pytest_slots.py --only empty     # one of them
    python benchmarks/pytest_slots.py --project DIR    # the tests of a project, instead

Run it with a Python that has testloom's dependencies and pytest-xdist.  They take turns, one run
each per round, each round beginning with another; a run with another outcome than the first one of all
ends the benchmark.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from measure import Command, Sample, measure

SOURCE = Path(__file__).parents[1] / "src"
LIMIT_S = 1800.0
EMPTY = """
import pytest

@pytest.mark.parametrize("n", range(5000))
def test_nothing(n):
    pass
"""
SLOW_TO_COLLECT = """
import time
import pytest

until = time.process_time() + 5.0  # as a large import would, it keeps a core busy
while time.process_time() < until:
    pass

@pytest.mark.parametrize("n", range(200))
def test_waits(n):
    time.sleep(0.05)
"""
SLOW_MODULE = """
import time
import pytest

until = time.process_time() + 0.25
while time.process_time() < until:
    pass

@pytest.mark.parametrize("n", range(10))
def test_waits(n):
    time.sleep(0.05)
"""
SHARED = """
import time
import pytest

@pytest.fixture(scope="module")
def dear():
    time.sleep(0.2)

@pytest.mark.parametrize("n", range(25))
def test_uses(dear, n):
    time.sleep(0.01)
"""
SUITES: Mapping[str, Mapping[str, str]] = {
    "empty": {"test_empty.py": EMPTY},
    "slow-collection": {"test_slow.py": SLOW_TO_COLLECT},
    "slow-modules": {f"test_{n}.py": SLOW_MODULE for n in range(20)},
    "shared-fixtures": {f"test_{n}.py": SHARED for n in range(12)},
}
WITH_HEAD_START = {"slow-modules"}
ABOUT: Mapping[str, str] = {
    "empty": "5,000 empty parametrised tests; goal: -n / slots >= 1.5, serial / slots >= 1",
    "slow-collection": "5 s of collection of one module, then 200 tests of 50 ms",
    "slow-modules": "the same in 20 modules; goal: -n / slots with head start >= 1.6",
    "shared-fixtures": "12 modules, a fixture of 0.2 s in each, 25 tests of 10 ms that use it",
}


def main() -> int:
    """Measure what was asked for, and print a table a suite."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", choices=SUITES, action="append", help="this suite")
    parser.add_argument("--project", type=Path, help="a directory with tests of its own")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("-n", type=int, default=2, dest="count", help="slots, and workers of xdist")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        if asked.project is not None:
            compare(asked.project.name, asked.project.resolve(), asked.rounds, asked.count, place)
            return 0
        for name in asked.only or SUITES:
            suite = Path(place) / name
            suite.mkdir()
            (suite / "pytest.ini").write_text("[pytest]\n")
            for file, content in SUITES[name].items():
                (suite / file).write_text(content)
            print(f"\n{name}: {ABOUT[name]}")
            compare(name, suite, asked.rounds, asked.count, place)
    return 0


def compare(name: str, suite: Path, rounds: int, count: int, place: str) -> None:
    """Let all ways of running *suite* take turns; print what they took."""
    ways = {
        "pytest": ("-p", "no:xdist"),
        f"pytest -n{count}": ("-p", "xdist", f"-n{count}"),
        f"pytest --slots {count}": ("-p", "testloom.pytest_plugin", "--slots", str(count)),
    }
    if name in WITH_HEAD_START:
        slots = ways[f"pytest --slots {count}"]
        ways[f"slots {count}, head start"] = (*slots, "--testloom-head-start")
    samples: dict[str, list[Sample]] = {way: [] for way in ways}
    outcome = ""
    for number in range(rounds):
        for at in range(len(ways)):
            way = list(ways)[(number + at) % len(ways)]
            sample, said = run(suite, ways[way], Path(place) / f"{name}.out")
            outcome = outcome or said
            if said != outcome:
                raise SystemExit(f"{name}: {way}: {said}, and not {outcome}")
            samples[way].append(sample)
    show(samples, outcome)


def run(suite: Path, options: Sequence[str], output: Path) -> tuple[Sample, str]:
    """Run the tests of *suite* once; return what that took and the last line without its time."""
    base = ("-P", "-m", "pytest", "--disable-plugin-autoload", "-p", "no:cacheprovider", "-q")
    command = Command(
        argv=(sys.executable, *base, *options, "-o", "addopts="),
        cwd=suite,
        stdout=output,
        env={"PYTHONPATH": f"{SOURCE}:{suite}:{suite / 'src'}"},
    )
    sample = measure(command, limit_s=LIMIT_S)
    last = output.read_text(errors="replace").rstrip().rpartition("\n")[2]
    return sample, re.sub(r" in [0-9.]+s.*", "", last)


def show(samples: Mapping[str, Sequence[Sample]], outcome: str) -> None:
    """Print a line for each way; the last column is how many times longer it took than the last one."""
    medians = {way: statistics.median(s.wall_s for s in some) for way, some in samples.items()}
    ours = list(medians.values())[-1]
    print(f"{outcome}; seconds of {len(next(iter(samples.values())))} runs")
    print(f"{'':20} {'median':>8} {'min':>8} {'max':>8} {'CPU s':>8} {'others':>7} {'/ last':>8}")
    for way, some in samples.items():
        walls = [sample.wall_s for sample in some]
        cpu_s = statistics.median(sample.cpu_s for sample in some)
        others = max(sample.others_cpu_s / sample.wall_s for sample in some)
        print(
            f"{way:20} {medians[way]:8.2f} {min(walls):8.2f} {max(walls):8.2f} {cpu_s:8.2f} "
            f"{others:7.0%} {medians[way] / ours:8.2f}"
        )
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
