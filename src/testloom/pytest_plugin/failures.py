"""The block that testloom shows of a failure, for failures of data tests in pytest."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

import msgspec

from testloom.console.failure import render_result
from testloom.console.look import Look, glyphs_for
from testloom.console.spans import render
from testloom.model import records
from testloom.model.rerun import Commands
from testloom.pytest_plugin.blocks import Block
from testloom.pytest_plugin.data_run import Pushed

_COMMANDS: Final = Commands(program="pytest")


def block_of(pushed: Iterable[Pushed], *, nodeid: str, path: str, line: int) -> Block:
    """Return the block that shows *pushed*, results of the test *nodeid* defined at *path*."""
    pushed = list(pushed)
    look = Look(width=80, glyphs=glyphs_for("utf-8"), commands=_COMMANDS)
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
