"""How a failure looks that is no exception of a test: text of ours, as pytest wants it."""

from __future__ import annotations

from typing import Any

from _pytest._code.code import ReprFileLocation, TerminalRepr


class Block(TerminalRepr):
    """Text that says what failed, with the place and the one line that summaries show."""

    def __init__(self, text: str, message: str, path: str, line: int) -> None:
        self.text = text
        self.reprcrash = ReprFileLocation(path, line, message)

    def __str__(self) -> str:
        return self.text

    def toterminal(self, tw: Any) -> None:
        """Write the text to pytest's terminal."""
        for line in self.text.splitlines():
            tw.line(line)
        tw.line()
        self.reprcrash.toterminal(tw)
