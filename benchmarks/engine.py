"""Measures the engine by itself: scheduling, warm workers, start-up, memory, idleness.

python benchmarks/engine.py --repeat 3 --json engine.json
python benchmarks/engine.py --only scheduling,wake-ups --scale 0.1
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

import machine
import whole_runs
from environments import REPOSITORY, Environments, Missing, OwnPython, Packaged
from figures import Figure, render
from whole_runs import Bench

Group = Callable[[Bench], Iterable[Figure]]


def main() -> int:
    """Measure what the command line asks for; 1 if something could not be measured."""
    options = parsed_options()
    python = Environments(options.cache).path_of(OwnPython())
    if python != Path(sys.executable):
        os.execv(python, [str(python), *sys.argv])
    about, load_before = machine.describe(options.cache), machine.load()
    work = options.cache / "engine"
    work.mkdir(parents=True, exist_ok=True)
    bench = Bench(python, work, options.scale, options.repeat)
    figures, failed = measured(options.only, bench)
    shutil.rmtree(work)
    loads = f"load: {load_before}; after: {machine.load()}"
    print("\n".join([*about.lines(), loads, "", render(figures)]))
    for name, why in failed.items():
        print(f"{name}: not measured: {why}")
    if options.json:
        everything = {
            "format": 1,
            "machine": asdict(about),
            "load": loads,
            "figures": [figure.as_json() for figure in figures],
            "missing": failed,
        }
        options.json.write_text(json.dumps(everything, indent=1) + "\n")
    return 1 if failed else 0


def measured(names: Iterable[str], bench: Bench) -> tuple[list[Figure], dict[str, str]]:
    """Return the figures of the groups called *names*, and why (by name) there are none."""
    figures: list[Figure] = []
    failed = {}
    for name in names:
        print(f"measuring {name} ...", file=sys.stderr)
        try:
            figures += GROUPS[name](bench)
        except Exception as error:  # noqa: BLE001 - one group shall not stop the others
            failed[name] = f"{type(error).__name__}: {error}"
    return figures, failed


def scheduling_figures(bench: Bench) -> Iterable[Figure]:
    # Imports testloom, which only the right interpreter can.
    import scheduling  # noqa: PLC0415 - as said

    return scheduling.figures(bench.scale, bench.repeat)


def worker_figures(bench: Bench) -> Iterable[Figure]:
    import warm_pool  # noqa: PLC0415 - as above

    return warm_pool.figures(bench.scale, bench.repeat)


def door_figures(bench: Bench) -> Iterable[Figure]:
    import doors  # noqa: PLC0415 - as above

    try:
        peer = Environments(bench.work.parent).path_of(
            Packaged("python", ("AsyncProcessScheduler",))
        )
    except Missing as error:
        print(error, file=sys.stderr)
        peer = None
    return doors.figures(bench.scale, bench.repeat, peer)


GROUPS: Mapping[str, Group] = {
    "scheduling": scheduling_figures,
    "workers": worker_figures,
    "doors": door_figures,
    "fragments": whole_runs.fragments,
    "one-test": whole_runs.one_test,
    "listing": whole_runs.listing,
    "memory": whole_runs.memory,
    "wake-ups": whole_runs.wake_ups,
}


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--repeat", type=int, default=3, metavar="N")
    parser.add_argument("--scale", type=float, default=1.0, metavar="X", help="of the sizes")
    parser.add_argument("--only", type=_groups, default=list(GROUPS), metavar="GROUP,...")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample here")
    parser.add_argument(
        "--cache", type=Path, default=REPOSITORY / ".run-tests" / "bench", metavar="DIR"
    )
    options = parser.parse_args()
    options.cache = options.cache.resolve()
    return options


def _groups(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in GROUPS:
            known = ", ".join(GROUPS)
            raise argparse.ArgumentTypeError(f"no group {name!r}; there are {known}")
    return names


if __name__ == "__main__":
    sys.exit(main())
