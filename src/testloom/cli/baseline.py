"""``testloom baseline``: look at outputs that differ from their baselines, accept or reject them."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from testloom.cli.stored import CommandParser, options_of, root_of
from testloom.console.base import Place
from testloom.console.choose import on_build_server, place_for
from testloom.console.diff import diff_lines
from testloom.console.spans import Line, render
from testloom.console.text import counted
from testloom.journal.rundir import find_run
from testloom.model.errors import UsageError
from testloom.model.names import shown_line
from testloom.suite import baselines
from testloom.suite.baselines import NotAccepted, Pending
from testloom.suite.commands import tool_commands
from testloom.suite.review import KEYS, Decided, Review, Show, Verdict

_ACTIONS: Final = ("review", "list", "accept", "reject")
_SOME_NOT_ACCEPTED: Final = 1
_MOST_LINES: Final = 60


def run(args: Sequence[str]) -> int:
    """Do what *args* say; return the exit status: 1 if something could not be accepted."""
    asked = _parser().parse_args(list(args))
    options, config = options_of(asked)
    root = root_of(config)
    run_dir = find_run(os.path.abspath(options.output_dir), asked.run)
    pending = baselines.chosen(baselines.pending_in(run_dir, root), asked.select)
    if asked.action in {"review", "accept"} and pending and on_build_server(os.environ):
        raise UsageError(
            f"baseline {asked.action}: CI is set, and baselines are not written on a build server;"
            " review where the sources are"
        )
    match asked.action:
        case "list":
            return _list(pending)
        case "review":
            return _review(pending, asked)
        case "accept":
            return _tell([Decided(Verdict.ACCEPT, tuple(pending))], force=asked.force)
        case _:
            return _tell([Decided(Verdict.REJECT, tuple(pending))])


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        "baseline",
        usage="testloom baseline review|list|accept|reject [TEST...] [--run RUN] [-o DIR]",
        description="What tests wrote instead of what their baselines say: look at it, make it"
        " the baseline, or forget it.",
        epilog="TEST is a test, a directory of tests, or a pattern; without, all are meant.",
    )
    parser.add_argument("action", choices=_ACTIONS, metavar="|".join(_ACTIONS), help="what to do")
    parser.add_argument("select", nargs="*", metavar="TEST", help="which tests (default: all)")
    parser.add_run()
    changed = "accept although the test or the baseline has changed since"
    parser.add_argument("--force", action="store_true", help=changed)
    parser.add_places()
    return parser


def _list(pending: Sequence[Pending]) -> int:
    if not pending:
        print("no output waits")
    for group in baselines.groups(pending):
        for at, each in enumerate(group):
            mark = "same change" if at else ("pattern" if each.baseline.is_pattern else "")
            line = f"{shown_line(each.test)}  {shown_line(each.shown_path)}"
            print(f"{line}  ({mark})" if mark else line)
    return 0


def _tell(decisions: Sequence[Decided[Pending]], *, force: bool = False) -> int:
    """Carry out *decisions*, say each, and return the exit status."""
    code = 0
    for decided in decisions:
        for each in decided.items:
            try:
                if decided.verdict is Verdict.ACCEPT:
                    baselines.accept(each, force=force)
                elif decided.verdict is Verdict.REJECT:
                    baselines.forget(each)
            except NotAccepted as error:
                code = _SOME_NOT_ACCEPTED
                print(f"{shown_line(each.shown_path)}: not accepted: {shown_line(str(error))}")
            else:
                print(f"{shown_line(each.shown_path)}: {decided.verdict.value}")
        if not decided.items:
            print("no output waits")
    return code


def _review(pending: Sequence[Pending], asked: argparse.Namespace) -> int:
    if not pending:
        print("no output waits")
        return 0
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("baseline review: needs a terminal; use list, accept and reject elsewhere")
    place = place_for(asked, sys.stdout, sys.stderr, os.environ, tool_commands())
    review = Review(pending, baselines.same_change)
    code, number, shown = 0, 0, None
    with _keys() as read:
        while (one := review.current) is not None:
            if one is not shown:
                number = len(pending) - review.left + 1
                _show(place, _heading(one, number, len(pending)))
                _show(place, _difference(one, place))
                shown = one
            others = len(review.alike) - 1
            _prompt(others)
            answer = review.press(read())
            print()
            match answer:
                case Decided():
                    code = _tell([answer], force=asked.force) or code
                case Show.KEYS:
                    print(KEYS, end="")
                case Show.DETAILS:
                    _show(place, _details(one))
                case Show.AGAIN:
                    shown = None
    return code


def _heading(one: Pending, number: int, total: int) -> list[Line]:
    where = f"{number}/{total} "
    return [
        [("", "")],
        [(where, "faint"), (shown_line(one.test), "name"), (f"  {shown_line(one.shown_path)}", "")],
    ]


def _difference(one: Pending, place: Place) -> list[Line]:
    if one.baseline.is_pattern:
        return [[("   the output does not match this pattern; edit it by hand", "slow")]]
    return list(diff_lines(one.baseline.difference, place.look, _MOST_LINES))


def _details(one: Pending) -> list[Line]:
    actual = os.path.join(one.folder, one.baseline.actual) if one.baseline.actual else "-"
    rows = {
        "baseline": one.path + ("" if one.baseline.before else " (does not exist yet)"),
        "output": actual,
        "failure": one.folder,
    }
    return [[(f"   {name:<9}", "faint"), (shown_line(value), "")] for name, value in rows.items()]


def _prompt(others: int) -> None:
    same = f"  [g] accept this and {counted(others, 'other')} alike" if others > 0 else ""
    sys.stdout.write(f"[a]ccept [r]eject [s]kip{same}  [A]ll [q]uit [?] ")
    sys.stdout.flush()


def _show(place: Place, lines: Sequence[Line]) -> None:
    sys.stdout.write(render(lines, color=place.color))


@contextlib.contextmanager
def _keys() -> Iterator[Callable[[], str]]:
    """Yield a function that waits for one key; the terminal is as it was afterwards."""
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)

    def read() -> str:
        data = os.read(fd, 1)
        return data.decode("latin-1") if data not in {b"", b"\x04"} else "q"

    try:
        tty.setcbreak(fd, termios.TCSANOW)
        yield read
    finally:
        termios.tcsetattr(fd, termios.TCSANOW, before)
