"""Puts testloom through what takes longer than a test may: one ordeal after the other, or those named.

    python tools/ordeal.py                     all, for about an hour and a half
    python tools/ordeal.py kills -n 1000       main is killed by SIGKILL at random moments
    python tools/ordeal.py interrupts -n 300   Ctrl-C at random moments, polite and stubborn tests
    python tools/ordeal.py crashes -n 10000    many tests, some of which crash
    python tools/ordeal.py graph -n 100000     fragments with ten edges each, through the scheduler
    python tools/ordeal.py inject              each system call fails, or kills who makes it (needs strace)
    python tools/ordeal.py inject fsync -n 2   the first two calls of those whose names have this in them
    python tools/ordeal.py soak -n 20          minutes of healthy and faulty tests

Needs the interpreter of ``./check``.  The exit status is 1 if a promise was not kept.
"""

from __future__ import annotations

import argparse
import sys

from ordeals import crashes, graph, injection, interrupts, kills, soak

COUNTS = {
    "kills": 1000,
    "interrupts": 300,
    "crashes": 10_000,
    "graph": 100_000,
    "inject": 0,
    "soak": 20,
}


def main() -> int:
    """Run what is asked for; return the worst exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ordeal", nargs="?", choices=COUNTS, help="which one; all without")
    parser.add_argument("words", nargs="*", help="of faults to inject; all without")
    parser.add_argument("-n", type=float, help="how many times, tests or minutes")
    parser.add_argument("--seed", type=int, default=1, help="of random moments")
    parser.add_argument("--rounds", type=int, default=3, help="of each share of crashes")
    args = parser.parse_args()
    worst = 0
    for name in [args.ordeal] if args.ordeal else COUNTS:
        worst = max(worst, _run(name, args.n or COUNTS[name], args))
    return worst


def _run(name: str, amount: float, args: argparse.Namespace) -> int:
    count = int(amount)
    match name:
        case "kills":
            return kills.main(count, args.seed)
        case "interrupts":
            return interrupts.main(count, args.seed)
        case "crashes":
            return crashes.main(count, args.rounds)
        case "graph":
            return graph.main(count)
        case "inject":
            return injection.main(count, args.words)
        case _:
            return soak.main(amount)


if __name__ == "__main__":
    sys.exit(main())
