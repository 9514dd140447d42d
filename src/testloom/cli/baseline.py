"""``testloom baseline``: look at outputs that differ from their baselines, accept or reject them."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import shutil
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from typing import Final, Self

import msgspec

from testloom.cli.stored import CommandParser, options_of, root_of
from testloom.console.base import Place
from testloom.console.choose import on_build_server, place_for
from testloom.console.diff import diff_lines
from testloom.console.sides import side_by_side
from testloom.console.spans import Line, render
from testloom.console.text import counted
from testloom.journal.rundir import find_run
from testloom.model.errors import UsageError
from testloom.model.names import shown_line
from testloom.processes.foreground import run_in_foreground
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
    wide = msgspec.structs.replace(place.look, width=shutil.get_terminal_size((100, 24)).columns)
    place = msgspec.structs.replace(place, look=wide)
    review = Review(pending, baselines.same_change)
    code, shown, has_sides = 0, None, False
    with _Keys() as keys:
        while (one := review.current) is not None:
            if one is not shown:
                _show(place, _heading(one, len(pending) - review.left + 1, len(pending)))
                _show(place, _difference(one, place, has_sides=has_sides))
                shown = one
            others = len(review.alike) - 1
            _prompt(others)
            answer = review.press(keys.read())
            print()
            match answer:
                case Decided():
                    code = _tell([answer], force=asked.force) or code
                case Show.KEYS:
                    print(KEYS, end="")
                case Show.DETAILS:
                    _show(place, _details(one))
                case Show.OTHER_VIEW:
                    has_sides, shown = not has_sides, None
                case Show.EDITOR:
                    with keys.at_rest():
                        _edit(baselines.to_edit(one))
                    review.replace(baselines.edited(one))
                    shown = None
    return code


def _edit(path: str) -> None:
    """Let people change the file at *path* in the editor of their choice."""
    named = (os.environ.get(name, "").strip() for name in ("VISUAL", "EDITOR"))
    editor = next(filter(None, named), "vi")
    try:
        run_in_foreground([*shlex.split(editor), path])
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        print(f"{shown_line(editor)}: {why}; set VISUAL or EDITOR")


def _heading(one: Pending, number: int, total: int) -> list[Line]:
    where = f"{number}/{total} "
    return [
        [("", "")],
        [(where, "faint"), (shown_line(one.test), "name"), (f"  {shown_line(one.shown_path)}", "")],
    ]


def _difference(one: Pending, place: Place, *, has_sides: bool) -> list[Line]:
    if one.baseline.is_pattern:
        return [[("   the output does not match this pattern; edit it by hand", "slow")]]
    if not one.baseline.difference:
        return [[("   there is no difference any more", "faint")]]
    lines = side_by_side if has_sides else diff_lines
    return list(lines(one.baseline.difference, place.look, _MOST_LINES))


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
    sys.stdout.write(f"[a]ccept [r]eject [s]kip{same}  [A]ll [e]dit si[d]es [q]uit [?] ")
    sys.stdout.flush()


def _show(place: Place, lines: Sequence[Line]) -> None:
    sys.stdout.write(render(lines, color=place.color))


class _Keys:
    """Keys as they are pressed, in a ``with``; the terminal is as it was afterwards."""

    def __enter__(self) -> Self:
        self._fd = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._fd)
        tty.setcbreak(self._fd, termios.TCSANOW)
        return self

    def __exit__(self, *_: object) -> None:
        termios.tcsetattr(self._fd, termios.TCSANOW, self._before)

    def read(self) -> str:
        """Wait for one key."""
        data = os.read(self._fd, 1)
        return data.decode("latin-1") if data not in {b"", b"\x04"} else "q"

    @contextlib.contextmanager
    def at_rest(self) -> Iterator[None]:
        """While the block runs, leave the terminal to others."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()
