"""The console for terminals: a block at the bottom that shows what runs now.

The block is drawn by `rich` without a thread of its own: the run's event loop calls `refresh`,
which draws at most five frames a second, and none that is the same as the last.  Failures scroll
by above the block; at the end it is erased.

This is the only module that imports `rich`, which takes longer than to run a small test.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import IO, Final, cast

import msgspec
from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, RenderResult
from rich.control import Control
from rich.live import Live
from rich.segment import ControlCode, ControlType, Segment
from rich.style import Style

from testloom.console.base import Console, Place
from testloom.console.frame import frame
from testloom.console.look import Look
from testloom.console.spans import STYLES, Line, text_of
from testloom.console.text import cells
from testloom.console.writer import Writer
from testloom.model.summary import RunInfo, Summary

FRAME_S: Final = 0.2
_LEAST_WIDTH: Final = 40
"""Columns that lines of diffs and logs have even where they must be broken for that."""

_STYLES: Final = {name: Style.parse(words) for name, words in STYLES.items()}
_STYLES[""] = Style.null()


class _Lines:
    """Lines of spans, as `rich` wants them."""

    def __init__(self, lines: Iterable[Line] = ()) -> None:
        self.lines = list(lines)

    def __rich_console__(self, console: RichConsole, options: ConsoleOptions) -> RenderResult:
        for line in self.lines:
            for text, style in line:
                yield Segment(text, _STYLES[style])
            yield Segment.line()


class _Terminal(RichConsole):
    """A `rich` console that leaves the cursor visible.

    A hidden cursor would stay hidden if the run is killed or suspended.
    """

    def show_cursor(self, show: bool = True) -> bool:  # noqa: ARG002 - the overridden signature
        return False


class LiveConsole(Console):
    """Shows the slots, the counts and a bar at the bottom of a terminal, failures above."""

    takes_keys = True

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._size = _size(place.out)
        self.look = _look_for(place, self._size)
        self._terminal = _Terminal(
            file=cast("IO[str]", _File(place.out)),
            force_terminal=True,
            force_interactive=True,
            color_system="standard" if place.color else None,
            no_color=False,
            width=self._size.columns,
            height=self._size.lines,
            legacy_windows=False,
        )
        self._block = _Lines()
        self._live = Live(
            self._block,
            console=self._terminal,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._waiting: list[Line] = []
        self._drawn_at = float("-inf")

    def run_started(self, run: RunInfo, *, tests: int, fragments: int, now: float) -> None:
        super().run_started(run, tests=tests, fragments=fragments, now=now)
        self._live.start()
        self._draw(now)

    def stopping(self, why: str, running: int) -> None:
        super().stopping(why, running)
        self._scroll()

    def show(self, lines: Iterable[Line]) -> None:
        """Show *lines* above the block, with the next frame."""
        if self._live.is_started:
            self._waiting += lines
        else:
            super().show(lines)

    def refresh(self, now: float) -> float | None:
        if not self._live.is_started:
            return None
        if now >= self._drawn_at + FRAME_S:
            self._draw(now)
        return self._drawn_at + FRAME_S

    def state(self, lines: Sequence[str]) -> None:
        """Show it above the block."""
        if self._live.is_started:
            self.show([[(line, "")] for line in lines])
        else:
            super().state(lines)

    def pausing(self) -> None:
        """Erase the block: the shell is going to write here."""
        if self._live.is_started:
            with self._terminal:
                self._fit()
                self._block.lines = []
                self._scroll()
                self._live.refresh()

    def resumed(self, now: float) -> None:
        """Show it again."""
        if self._live.is_started:
            self._draw(now)

    def run_ended(self, summary: Summary) -> None:
        self.close()
        super().run_ended(summary)

    def close(self) -> None:
        """Erase the block; without one, do nothing."""
        if self._live.is_started:
            with self._terminal:
                self._fit()
                self._block.lines = []
                self._scroll()
                self._live.stop()

    def _draw(self, now: float) -> None:
        self.progress.mark(now)
        before = self._block.lines
        with self._terminal:  # all of it is one write
            self._fit()
            self._block.lines = frame(self.progress, now, height=self._size.lines, look=self.look)
            if self._waiting:
                self._scroll()
            elif self._block.lines != before:
                self._live.refresh()
        self._drawn_at = now

    def _scroll(self) -> None:
        """Print what waits, and the block below it."""
        lines, self._waiting = self._waiting, []
        if lines:
            # Long lines are for the terminal to wrap: commands can be copied whole.
            self._terminal.print(_Lines(lines), crop=False, soft_wrap=True)

    def _fit(self) -> None:
        """Take note of the size of the terminal, and repair what a change of it has done."""
        size = _size(self.place.out)
        if size == self._size:
            return
        if self._block.lines and size.columns < self._size.columns:
            # The terminal has broken our lines, so the block has more rows than `rich` thinks.
            wide = [cells(text_of(line)) - 1 for line in self._block.lines]
            extra = sum(max(0, last // size.columns) for last in wide)
            up: list[ControlType | ControlCode] = [
                (ControlType.ERASE_IN_LINE, 2),
                (ControlType.CURSOR_UP, 1),
            ]
            self._terminal.control(Control(ControlType.CARRIAGE_RETURN, *(up * extra)))
        self._size = size
        self._terminal.size = (size.columns, size.lines)
        self.look = _look_for(self.place, size)


class _File:
    """What `rich` writes to."""

    def __init__(self, out: Writer) -> None:
        self._out = out
        self.encoding = out.encoding

    def write(self, text: str) -> int:
        self._out.write(text)
        return len(text)

    def flush(self) -> None:
        """Do nothing: what was written is on its way."""


def _size(out: Writer) -> os.terminal_size:
    """Return the size of the terminal; that of an old one if it does not know."""
    fd = out.fileno()
    try:
        size = os.get_terminal_size(fd if fd is not None else -1)
    except OSError:
        return os.terminal_size((80, 24))
    return os.terminal_size((size.columns or 80, size.lines or 24))


def _look_for(place: Place, size: os.terminal_size) -> Look:
    return msgspec.structs.replace(
        place.look, width=size.columns, line_limit=max(size.columns, _LEAST_WIDTH)
    )
