r"""Finds out whether a YAML text is small enough to be loaded, before it is.

Loading recurses over the nesting and makes a Python object of each node, and an alias can stand
for any number of them: a text of some hundred bytes may stand for billions of nodes.  The
parser that gives events does neither, so the limits are checked on its events.  Aliases are
counted with all that they stand for, and so is the depth.

Most files hold a few lines: `is_small` tells so from the bytes alone, and then no events are
needed.
"""

from __future__ import annotations

from typing import Any, Final

import yaml
from yaml._yaml import CParser

from testloom.discovery.problems import SyntaxProblem

MAX_DEPTH: Final = 64
MAX_NODES: Final = 100_000
MAX_ALIASES: Final = 1_000

_SMALL_BYTES: Final = 16 * 1024


def is_small(data: bytes) -> bool:
    """Tell whether *data* is within the limits whatever it means; False if this is not certain.

    Each level of nesting takes at least one of the characters ``-?:[{``; no text has more than
    three nodes a byte (``?`` in a flow sequence is a mapping, a key and a value); and without
    ``*`` there are no aliases.
    """
    return (
        len(data) <= _SMALL_BYTES
        and b"*" not in data
        and len(data) - len(data.translate(None, b"-?:[{")) < MAX_DEPTH
    )


def check(data: bytes, path: str) -> None:
    """Make sure that *data*, the content of the file *path*, is within the limits.

    Raises:
        SyntaxProblem: it is not.
        yaml.YAMLError: it is no YAML.
    """
    parser = CParser(data)
    nodes = aliases = 0
    # Of each open collection: its anchor, `nodes` before it, and the height of what is in it.
    opened: list[tuple[str | None, int]] = []
    heights: list[int] = [0]
    # Of each anchor that is complete: how many nodes it stands for, and how high it is.
    known: dict[str, tuple[int, int]] = {}
    unfinished: set[str] = set()

    while True:
        event: Any = parser.get_event()
        if event is None:
            return
        kind = type(event)
        if kind is yaml.ScalarEvent:
            nodes += 1
            if event.anchor is not None:
                known[event.anchor] = (1, 0)
        elif kind is yaml.SequenceStartEvent or kind is yaml.MappingStartEvent:
            opened.append((event.anchor, nodes))
            heights.append(0)
            nodes += 1
            if event.anchor is not None:
                unfinished.add(event.anchor)
        elif kind is yaml.SequenceEndEvent or kind is yaml.MappingEndEvent:
            anchor, before = opened.pop()
            height = heights.pop() + 1
            heights[-1] = max(heights[-1], height)
            if anchor is not None:
                unfinished.discard(anchor)
                known[anchor] = (nodes - before, height)
            continue
        elif kind is yaml.AliasEvent:
            aliases += 1
            if event.anchor in unfinished:
                raise _problem(path, event, f"*{event.anchor} holds itself; break the circle")
            size, height = known.get(event.anchor, (1, 0))
            nodes += size
            heights[-1] = max(heights[-1], height)
        else:
            continue

        if len(opened) + heights[-1] > MAX_DEPTH:
            raise _problem(path, event, f"nesting too deep; the limit is {MAX_DEPTH} levels")
        if aliases > MAX_ALIASES or (nodes > MAX_NODES and aliases):
            raise _problem(
                path,
                event,
                f"too many aliases; the limits are {MAX_ALIASES} of them"
                f" and {MAX_NODES} values with what they stand for",
            )
        if nodes > MAX_NODES:
            raise _problem(path, event, f"too many values; the limit is {MAX_NODES}")


def _problem(path: str, event: Any, what: str) -> SyntaxProblem:
    mark = event.start_mark
    return SyntaxProblem(path, what, mark.line + 1, mark.column + 1)
