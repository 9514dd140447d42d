"""The consoles of build servers that can fold parts of a log: each failure is such a part.

What stands in a log may be obeyed by the server that shows it.  On GitHub commands are stopped by
a word that no test can know; GitLab's marks begin with a control character, which in texts of
tests is written as an escape.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from testloom.console.base import Place
from testloom.console.failure import one_line
from testloom.console.lines import LinesConsole
from testloom.console.spans import Line, render, text_of
from testloom.model.events import Load
from testloom.model.summary import ResultEntry, Summary
from testloom.processes.clock import SystemClock


class FoldingConsole(LinesConsole):
    """Shows each failure as a line that can be unfolded."""

    def show_failure(self, entry: ResultEntry, load: Load) -> None:
        lines = self.failure_lines(entry, load)
        if len(lines) < 3:
            self.show(lines)
            return
        self.begin_fold(one_line(entry, self.look))
        self.show(lines)
        self.end_fold()

    def begin_fold(self, title: Line) -> None:
        """Let what is shown next be folded under *title*."""

    def end_fold(self) -> None:
        """Let what is shown next stand for itself."""


class GitHubConsole(FoldingConsole):
    """Failures in groups, and at the end annotations for the files of a pull request."""

    def begin_fold(self, title: Line) -> None:
        self.resume_commands()
        self.show([[("::group::" + text_of(title).replace("%", "%25"), "")]])
        self.stop_commands()

    def end_fold(self) -> None:
        self.resume_commands()
        self.show([[("::endgroup::", "")]])
        self.stop_commands()

    def show_end(self, summary: Summary) -> None:
        for annotation in self.place.annotations(summary):
            self.place.out.write(annotation)


class GitLabConsole(FoldingConsole):
    """Failures in sections that are folded at first."""

    def __init__(self, place: Place, wall: Callable[[], float] | None = None) -> None:
        super().__init__(place)
        self._wall = wall or SystemClock().wall
        self._numbers = itertools.count(1)
        self._section = ""

    def begin_fold(self, title: Line) -> None:
        self._section = f"testloom_{next(self._numbers)}"
        mark = f"section_start:{int(self._wall())}:{self._section}[collapsed=true]"
        shown = render([title], color=self.place.color)
        self.place.out.write(f"\x1b[0K{mark}\r\x1b[0K{shown}")

    def end_fold(self) -> None:
        mark = f"section_end:{int(self._wall())}:{self._section}"
        self.place.out.write(f"\x1b[0K{mark}\r\x1b[0K")
