"""Runs one suite, unchanged, with e3-testsuite and with `testloom e3`: same results? how much faster?

    python benchmarks/beside_e3.py --tests 1000 -j 2,16 --repeat 3

The tests are those of `run.py`, but one in twenty fails, others are expected to fail, skipped, have
a pattern or nothing as their baseline, bytes as their output, or mistakes in their control.  Each pair of runs is
compared: index, XUnit report, and what e3-testsuite's own `e3-testsuite-report` prints of both
directories of results.  Masked are times, random names, temporary directories, and the order of
tests.  The two take turns; the figure is the ratio of the medians of their wall times.
"""

from __future__ import annotations

import argparse
import difflib
import json
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import machine
from environments import REPOSITORY, Environments, OwnPython
from measure import Command, Sample, measure
from peers import E3, SUITES
from trees import Test, Tree, grow, text_of

AT_LEAST = 8.0
"""How many times faster testloom is to be ..."""
GOAL_FROM = 1000
"""... in runs of so many tests: in smaller ones, starting Python is most of the work."""
LIMIT_S = 1800.0

KINDS: Mapping[int, dict[str, str]] = {
    0: {"test.out": "something else\n"},
    1: {"test.out": "another\n", "test.yaml": "control: [[XFAIL, 'True', 'a known bug']]\n"},
    2: {"test.yaml": "control: [[XFAIL, 'env.build.cpu.bits in (32, 64)', 'not any more']]\n"},
    3: {"test.yaml": "control: [[SKIP, 'env.build.os.name == \"linux\"', 'no linux']]\n"},
    4: {"test.out": ".*line 1 of.*\n(.*\n)+", "test.yaml": "baseline_regexp: true\n"},
    5: {"input.txt": "caf\\xe9\n", "test.yaml": "encoding: binary\n"},
    6: {"test.yaml": "control: [[XFAIL, 'nobody', 'a mistake']]\n"},
    7: {"test.yaml": "baseline_file: nowhere.out\n"},
}
"""Of twenty tests, those that do not simply pass: what is different in their files."""


@dataclass(slots=True)
class Side:
    """One of the two, and its runs by the number of jobs."""

    name: str
    command: Callable[[int], tuple[str, ...]]
    samples: dict[int, list[Sample]] = field(default_factory=dict)

    def run(self, place: Path, jobs: int, environment: Mapping[str, str]) -> Path:
        """Run the suite; return the directory that has what came of it."""
        out = place / f"out-{self.name}"
        shutil.rmtree(out, ignore_errors=True)
        (out / "tmp").mkdir(parents=True)
        options = ("-o", str(out), "--xunit-output", str(out / "xunit.xml"), "-t", str(out / "tmp"))
        sample = measure(
            Command(
                argv=(*self.command(jobs), *options),
                cwd=place,
                stdout=out / "console.txt",
                env=environment,
            ),
            limit_s=LIMIT_S,
        )
        self.samples.setdefault(jobs, []).append(sample)
        print(f"{self.name} -j{jobs}: {sample.wall_s:.2f} s", file=sys.stderr)
        return out


def main() -> int:
    """Compare as the command line asks for; 1 if the results differ."""
    options = parsed_options()
    environments = Environments(options.cache)
    theirs = E3(environments.path_of(E3.tool))
    ours = environments.path_of(OwnPython())
    place = options.cache / "e3"
    shutil.rmtree(place, ignore_errors=True)
    grow(Tree(place / "tests", options.tests), more=files_of)
    for name in (*E3.suites, "testloom.toml"):
        shutil.copy(SUITES / name, place / name)
    sides = (
        Side("e3-testsuite", lambda jobs: (str(theirs.program), "e3_cat.py", f"-j{jobs}")),
        Side(
            "testloom", lambda jobs: (str(ours), "-m", "testloom", "e3", "e3_cat.py", f"-j{jobs}")
        ),
    )
    environment = theirs.env(place)
    reporter = theirs.program.with_name("e3-testsuite-report")
    differences: list[str] = []
    for number in range(options.repeat):
        for jobs in options.jobs:
            order = sides if number % 2 == 0 else sides[::-1]
            outs = {side.name: side.run(place, jobs, environment) for side in order}
            seen = [seen_in(outs[side.name], reporter) for side in sides]
            differences += [
                f"-j{jobs}, {what}: {line}"
                for what in seen[0]
                for line in difference(seen[0][what], seen[1][what])
            ]
    print("\n".join([*machine.describe(options.cache).lines(), "", *ratios(sides, options.tests)]))
    what = ", ".join(seen[0])
    print(f"{what}: {'DIFFERENT' if differences else 'the same in every run'}")
    print("\n".join(differences[:50]), end="\n" if differences else "")
    if not differences:
        shutil.rmtree(place)
    return 1 if differences else 0


def files_of(test: Test) -> dict[str, str]:
    """Return the files of *test*, one kind in twenty each."""
    kind = KINDS.get(int(test.name[1:]) % 20, {})
    text = kind.get("input.txt", text_of(test))
    return {
        "input.txt": text,
        "test.out": kind.get("test.out", text),
        "test.yaml": f"driver: cat\n{kind.get('test.yaml', '')}",
    }


def seen_in(out: Path, reporter: Path) -> dict[str, str]:
    """Return what can be seen of a run, with all masked that no two runs have in common."""
    index = json.loads((out / "new" / "_index.json").read_text())
    entries = sorted(index["entries"], key=lambda entry: str(entry["test_name"]))
    rows = [{**entry, "filename": "", "time": None} for entry in entries]
    shown = subprocess.run(
        [reporter, "-a", "--show-time-info", out / "new"],
        capture_output=True,
        text=True,
        check=True,
    )
    console = (out / "console.txt").read_text().splitlines()
    return {
        "index": "\n".join(json.dumps(row) for row in rows),
        "console": "\n".join(sorted(line for line in console if line.startswith("INFO"))),
        "XUnit": masked((out / "xunit.xml").read_text().replace("<testcase", "\n<testcase"), out),
        "e3-testsuite-report": masked(shown.stdout, out),
    }


def masked(text: str, out: Path) -> str:
    """Return *text* without times and names of temporary directories."""
    text = re.sub(r'time="[\d.]+"', 'time=""', text)
    return re.sub(re.escape(str(out / "tmp")) + r"/[\w.-]+", "WD", text)


def difference(theirs: str, ours: str) -> list[str]:
    """Return the lines that are not in both."""
    if theirs == ours:
        return []
    diff = difflib.unified_diff(theirs.splitlines(), ours.splitlines(), lineterm="", n=0)
    return [line for line in list(diff)[2:] if not line.startswith("@@")]


def ratios(sides: tuple[Side, ...], tests: int) -> list[str]:
    """Return a line for each number of jobs."""
    lines = []
    for jobs in sides[0].samples:
        theirs, ours = (_medians(side.samples[jobs]) for side in sides)
        ratio = theirs[0] / ours[0]
        verdict = "" if tests < GOAL_FROM else "met     " if ratio >= AT_LEAST else "MISSED  "
        lines.append(
            f"{verdict}{tests:,} tests, -j{jobs}: {ratio:.1f} times faster (at least {AT_LEAST:g});"
            f" e3-testsuite {theirs[0]:.2f} s (CPU {theirs[1]:.1f} s),"
            f" testloom {ours[0]:.2f} s (CPU {ours[1]:.1f} s)"
        )
    return lines


def _medians(samples: list[Sample]) -> tuple[float, float]:
    wall_s = statistics.median(sample.wall_s for sample in samples)
    return wall_s, statistics.median(sample.cpu_s for sample in samples)


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--tests", type=int, default=1000, metavar="N")
    parser.add_argument(
        "-j",
        "--jobs",
        type=lambda text: [*map(int, text.split(","))],
        default=[2, 16],
        metavar="N,...",
    )
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="rounds")
    parser.add_argument(
        "--cache",
        type=Path,
        default=REPOSITORY / ".run-tests" / "bench",
        metavar="DIR",
        help="where e3-testsuite is installed and the work is done",
    )
    options = parser.parse_args()
    options.cache = options.cache.resolve()
    options.cache.mkdir(parents=True, exist_ok=True)
    return options


if __name__ == "__main__":
    sys.exit(main())
