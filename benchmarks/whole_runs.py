"""Figures of whole runs, taken from outside: what somebody at the prompt waits for and pays."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from figures import Figure
from measure import Command, Sample, measure
from trees import Tree, grow

SUITES = Path(__file__).with_name("suites")
LIMIT_S = 900.0
TESTLOOM = "import sys; from testloom.cli.main import main; sys.exit(main())"
DROP_CACHES = Path("/proc/sys/vm/drop_caches")


@dataclass(frozen=True, slots=True)
class Bench:
    """How the runs are made: *python* imports testloom, *work* is a directory of our own."""

    python: Path
    work: Path
    scale: float
    repeat: int

    def scaled(self, count: int) -> int:
        return max(16, int(count * self.scale))

    def suite(self, name: str, *options: str, **environment: str) -> Sample:
        """Run the suite *name* in an empty place; see `run`."""
        place = self.fresh("place")
        shutil.copy(SUITES / name, place)
        (place / "nothing").mkdir()
        return self.run(place, (name, *options, "-o", "out"), environment)

    def command(self, place: Path, *arguments: str) -> Sample:
        """Run the command `testloom` with *arguments*; see `run`."""
        return self.run(place, ("-c", TESTLOOM, *arguments), {})

    def run(self, place: Path, argv: tuple[str, ...], environment: dict[str, str]) -> Sample:
        """Run Python with *argv* in *place*.

        Raises:
            RuntimeError: it did not exit with 0.
        """
        console = self.work / "console.txt"
        command = Command(
            argv=(str(self.python), *argv), cwd=place, stdout=console, env=environment
        )
        sample = measure(command, limit_s=LIMIT_S)
        if sample.exit_code:
            raise RuntimeError(f"exit code {sample.exit_code}: {self.last_words()}")
        return sample

    def last_words(self) -> str:
        """Return the last line the run printed."""
        lines = (self.work / "console.txt").read_text(errors="replace").strip().split("\n")
        return lines[-1]

    def fresh(self, name: str) -> Path:
        """Return the directory *name*, empty but for a configuration that says nothing."""
        path = self.work / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        shutil.copy(SUITES / "testloom.toml", path)
        return path


def one_test(bench: Bench) -> Iterator[Figure]:
    """Yield the time of a run of a single test, through a suite script and through the command."""
    script = bench.fresh("script")
    shutil.copy(SUITES / "testloom_cat.py", script)
    grow(Tree(script / "tests", 1))
    plain = bench.fresh("plain")
    grow(Tree(plain / "tests", 1), more=lambda _test: {"test.yaml": "cmd: [cat, input.txt]\n"})
    doors = (
        ("a suite script", script, ("testloom_cat.py",)),
        ("`testloom run`", plain, ("-c", TESTLOOM, "run", "tests")),
    )
    for door, place, argv in doors:
        whole = (*argv, "-j2", "-o", "out")
        walls = [bench.run(place, whole, {}).wall_s for _ in range(5 * bench.repeat)]
        title = f"one test, Enter to prompt, {door}"
        yield Figure(name=title, unit="s", samples=tuple(walls), at_most=0.35)


def listing(bench: Bench) -> Iterator[Figure]:
    """Yield the time to list 10,000 tests, with and without anything in the page cache."""
    count = bench.scaled(10_000)
    tree = grow(Tree(bench.fresh("listing") / "tests", count))
    cold, warm = [], []
    for _ in range(bench.repeat):
        dropped = caches_dropped()
        cold.append(bench.command(tree.place, "list", "tests").wall_s)
        warm.append(bench.command(tree.place, "list", "tests").wall_s)
    listed = (bench.work / "console.txt").read_text().count("t0")
    assert listed >= count, f"{listed} of {count} tests listed"
    if dropped:
        yield Figure(
            name=f"listing {count:,} tests, cold",
            unit="s",
            samples=tuple(cold),
            at_most=1.5,
            note="page cache dropped before each run: Python itself is read from disk as well",
        )
    yield Figure(
        name=f"listing {count:,} tests, warm",
        unit="s",
        samples=tuple(warm),
        note="" if dropped else "only root can drop the page cache, so there is no cold figure",
    )


def caches_dropped() -> bool:
    """Empty the page cache, if we may."""
    os.sync()
    try:
        DROP_CACHES.write_text("3\n")
    except OSError:
        return False
    return True


def fragments(bench: Bench) -> Iterator[Figure]:
    """Yield what a fragment costs through two warm workers, in a whole run with its results.

    Start-up is taken off by a run a quarter as big.
    """
    for shape, full in (("chains", 64_000), ("deep", 10_000), ("fan-in", 50_000)):
        count = bench.scaled(full)
        costs = []
        for _ in range(bench.repeat):
            small, big = (
                bench.suite("synthetic.py", "-j2", SHAPE=shape, COUNT=str(size)).wall_s
                for size in (count // 4, count)
            )
            costs.append((big - small) / (count - count // 4) * 1e6)
        name = f"a whole run, {count:,} fragments, {shape}"
        yield Figure(name=name, unit="us/fragment", samples=tuple(costs))


def memory(bench: Bench) -> Iterator[Figure]:
    """Yield the peak of the main process's memory in a run of 100,000 tests."""
    count = bench.scaled(100_000)
    peak = bench.work / "peak"
    bench.suite("synthetic.py", "-j2", SHAPE="single", COUNT=str(count), PEAK=str(peak))
    megabytes = int(peak.read_text()) / 1024
    name = f"main process, {count:,} tests"
    yield Figure(name=name, unit="MB", samples=(megabytes,), at_most=400)


def wake_ups(bench: Bench) -> Iterator[Figure]:
    """Yield what the main process does in ten seconds in which sixteen tests sleep."""
    place, window_s = bench.fresh("sleepers"), 10.0
    for number in range(16):
        test = place / "tests" / f"sleep{number}"
        test.mkdir(parents=True)
        (test / "test.yaml").write_text(f"cmd: [sleep, '{window_s + 5:g}']\n")
    argv = [str(bench.python), "-c", TESTLOOM, "run", "tests", "-j16", "-o", "out"]
    with (bench.work / "console.txt").open("wb") as console:
        run = subprocess.Popen(argv, cwd=place, stdout=console, stderr=console)
    try:
        time.sleep(3)
        before = waits_and_cpu_s(run.pid)
        time.sleep(window_s)
        after = waits_and_cpu_s(run.pid)
    finally:
        exit_code = run.wait()
    if exit_code:
        raise RuntimeError(f"exit code {exit_code}: {bench.last_words()}")
    waits, share = after[0] - before[0], (after[1] - before[1]) / window_s
    note = "voluntary context switches of all its threads; sixteen sleeping tests, output to a file"
    yield Figure(
        name="wake-ups of the main process in 10 s",
        unit="",
        samples=(waits,),
        at_most=200,
        note=note,
    )
    yield Figure(name="CPU of the main process", unit="%", samples=(share * 100,), at_most=1)


def waits_and_cpu_s(pid: int) -> tuple[int, float]:
    """Return how often the threads of *pid* have gone to sleep, and its CPU seconds."""
    waits = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        waits += int(fields["voluntary_ctxt_switches"])
    # After the name in brackets, which may hold blanks, the 12th and 13th are the times.
    stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return waits, (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
