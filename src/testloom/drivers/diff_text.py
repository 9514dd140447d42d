"""The difference of two texts as a unified diff, in time that grows with their length only.

Common ends are cut off first: mostly one line differs in the middle of many.  What remains is
matched by patience (lines that occur once anchor the rest), which is linear in practice and gives
diffs that people can read; small pieces left over get an exact match, bounded in size.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from patiencediff import PatienceSequenceMatcher

Change: TypeAlias = tuple[int, int, int, int]
"""``(a, a_end, b, b_end)``: lines a..a_end of the one became lines b..b_end of the other."""

_SMALL = 3600
"""Largest product of line counts that is matched exactly."""


def unified(
    expected: str, actual: str, *, context: int = 1, ignore_white_chars: bool = False
) -> str:
    r"""Return the unified diff from *expected* to *actual*; empty if they do not differ.

    How a line ends (LF, CR LF, CR, or the end of the text) is no difference.

    Args:
        expected: the text on the ``-`` side.
        actual: the text on the ``+`` side.
        context: how many equal lines to show around each change.
        ignore_white_chars: compare lines without white space at their ends, and no empty lines.

    >>> print(unified("a\nb\n", "a\nc\n"), end="")
    --- expected
    +++ output
    @@ -1,2 +1,2 @@
     a
    -b
    +c
    """
    if expected == actual:
        return ""
    old = lines_of(expected, ignore_white_chars=ignore_white_chars)
    new = lines_of(actual, ignore_white_chars=ignore_white_chars)
    changes = changed(old, new)
    if not changes:
        return ""
    shown = ["--- expected\n", "+++ output\n"]
    for hunk in _hunks(changes, max(0, context)):
        shown.extend(_hunk_lines(hunk, old, new, max(0, context)))
    return "".join(shown)


def counts(diff: str) -> tuple[int, int]:
    """Return how many lines *diff*, made by `unified`, adds and removes."""
    lines = diff.split("\n")[2:]
    return sum(line[:1] == "+" for line in lines), sum(line[:1] == "-" for line in lines)


def lines_of(text: str, *, ignore_white_chars: bool = False) -> list[str]:
    """Return the lines of *text* without their ends."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    if ignore_white_chars:
        return [stripped for line in lines if (stripped := line.strip())]
    return lines


def changed(old: Sequence[str], new: Sequence[str]) -> list[Change]:
    """Return what changed from *old* to *new*, in order; equal lines lie between any two."""
    start, old_end, new_end = _core(old, new)
    if start == old_end and start == new_end:
        return []
    changes: list[Change] = []
    for change in _matched(list(old[start:old_end]), list(new[start:new_end])):
        a, a_end, b, b_end = (number + start for number in change)
        if changes and changes[-1][1] == a and changes[-1][3] == b:
            a, _, b, _ = changes.pop()
        changes.append((a, a_end, b, b_end))
    return changes


def _core(old: Sequence[str], new: Sequence[str]) -> tuple[int, int, int]:
    """Return where the two begin to differ, and the ends of what differs in each."""
    start, shorter = 0, min(len(old), len(new))
    while start < shorter and old[start] == new[start]:
        start += 1
    old_end, new_end = len(old), len(new)
    while old_end > start and new_end > start and old[old_end - 1] == new[new_end - 1]:
        old_end -= 1
        new_end -= 1
    return start, old_end, new_end


def _matched(old: list[str], new: list[str]) -> Iterator[Change]:
    if len(old) * len(new) <= _SMALL:
        yield from _exactly(old, new, 0, 0)
        return
    for tag, a, a_end, b, b_end in PatienceSequenceMatcher(None, old, new).get_opcodes():
        if tag == "equal":
            continue
        if 1 < (a_end - a) * (b_end - b) <= _SMALL:
            yield from _exactly(old[a:a_end], new[b:b_end], a, b)
        else:
            yield a, a_end, b, b_end


def _exactly(old: list[str], new: list[str], a0: int, b0: int) -> Iterator[Change]:
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, a, a_end, b, b_end in matcher.get_opcodes():
        if tag != "equal":
            yield a0 + a, a0 + a_end, b0 + b, b0 + b_end


def _hunks(changes: list[Change], context: int) -> Iterator[list[Change]]:
    """Group changes whose context meets."""
    hunk = [changes[0]]
    for change in changes[1:]:
        if change[0] - hunk[-1][1] > 2 * context:
            yield hunk
            hunk = []
        hunk.append(change)
    yield hunk


def _hunk_lines(hunk: list[Change], old: list[str], new: list[str], context: int) -> Iterator[str]:
    lead = min(context, hunk[0][0])
    tail = min(context, len(old) - hunk[-1][1])
    a, b = hunk[0][0] - lead, hunk[0][2] - lead
    a_end, b_end = hunk[-1][1] + tail, hunk[-1][3] + tail
    yield f"@@ -{_range(a, a_end)} +{_range(b, b_end)} @@\n"
    for change_a, change_a_end, change_b, change_b_end in hunk:
        yield from (f" {line}\n" for line in old[a:change_a])
        yield from (f"-{line}\n" for line in old[change_a:change_a_end])
        yield from (f"+{line}\n" for line in new[change_b:change_b_end])
        a = change_a_end
    yield from (f" {line}\n" for line in old[a:a_end])


def _range(start: int, end: int) -> str:
    """Return lines *start* to *end* as diffs write them: counted from 1, with their number."""
    if end - start == 1:
        return str(start + 1)
    return f"{start if start == end else start + 1},{end - start}"
