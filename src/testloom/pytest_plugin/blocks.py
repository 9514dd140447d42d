"""How a failure looks that is no exception of a test: our block, as pytest wants it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from _pytest._code.code import ReprFileLocation, TerminalRepr

from testloom.console.failure import render_result
from testloom.console.look import Look, glyphs_for
from testloom.console.spans import render
from testloom.model import records
from testloom.pytest_plugin.data_run import Pushed

_PROGRAM: Final = "pytest"


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


def block_of(pushed: Iterable[Pushed], *, nodeid: str, path: str, line: int) -> Block:
    """Return the block that shows *pushed*, results of the test *nodeid* defined at *path*."""
    pushed = list(pushed)
    look = Look(width=80, glyphs=glyphs_for("utf-8"), program=_PROGRAM)
    texts = []
    for one in pushed:
        entry = msgspec.structs.replace(
            one.entry, test=nodeid, source=path.replace(os.sep, "/"), line=line, slot=-1
        )
        texts.append(
            render(render_result(entry, records.decode(one.record), look=look), color=False)
        )
    first = pushed[0].entry
    message = first.message or first.reason or first.status.name
    return Block("\n".join(texts).rstrip(), message.splitlines()[0], path, line)
