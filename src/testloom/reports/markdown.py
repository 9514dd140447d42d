"""The run as Markdown, for summaries of build servers, comments and chats.

Every name, message and log stands in code: that is the one place where nothing of it is taken
for markup, a link or the name of somebody to be told.
"""

from __future__ import annotations

import heapq
import html
import re
from collections.abc import Iterable, Iterator
from typing import Final

from testloom.model.names import shown, shown_line
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, Summary
from testloom.reports.details import details_of, excerpt, last_lines
from testloom.reports.sections import Section, sections_of

_LISTED: Final = 100
"""Results of a section that are named."""
_SHOWN: Final = 50
"""Failures of a run whose diff or log is shown."""
_LOG_BYTES: Final = 4 << 10
_SLOWEST: Final = 5
_QUIET: Final = frozenset({TestStatus.SKIP, TestStatus.NOT_APPLICABLE})
_BACKTICKS: Final = re.compile("`+")


class MarkdownReport:
    """The ``markdown`` report."""

    name: Final = "markdown"
    default_file: Final = "report.md"

    def write(self, summary: Summary) -> Iterator[str]:
        """Yield the report in pieces, each of which is whole: one can stop behind any of them."""
        yield _headline(summary)
        shown_blocks = 0
        for section in sections_of(summary):
            if section.entries[0].status in _QUIET:
                continue  # their number says enough
            yield f"## {section.title} ({len(section.entries)})\n\n"
            yield _list(section)
            if section.with_logs:
                few = section.entries[: max(0, _SHOWN - shown_blocks)]
                shown_blocks += len(few)
                yield from (_log(summary, entry) for entry in few)
        yield _slowest(summary)
        if summary.notes:
            yield "## Notes\n\n" + "".join(f"- {code(note)}\n" for note in summary.notes)


def cut_to(pieces: Iterable[str], limit: int) -> Iterator[str]:
    """Yield as many of *pieces* as have room in *limit* bytes, and say so if some have not."""
    note = "\n_The rest is cut off here._\n"
    left = limit - len(note)
    if left < 0:
        return
    for piece in pieces:
        left -= len(piece.encode())
        if left < 0:
            yield note
            return
        yield piece


def code(text: str) -> str:
    """Return *text* as a span of code, whatever is in it."""
    plain = shown_line(text) or " "
    fence = "`" * (_longest_run(plain) + 1)
    pad = " " if plain[0] in "` " or plain[-1] in "` " else ""
    return f"{fence}{pad}{plain}{pad}{fence}"


def block(text: str, language: str = "") -> str:
    """Return *text* as a block of code, whatever is in it."""
    body = shown(text)
    fence = "`" * max(3, _longest_run(body) + 1)
    end = "" if body.endswith("\n") else "\n"
    return f"{fence}{language}\n{body}{end}{fence}\n"


def _longest_run(text: str) -> int:
    return max(map(len, _BACKTICKS.findall(text)), default=0)


def _headline(summary: Summary) -> str:
    run = summary.run
    bad = summary.failed
    verdict = f"{bad} failed" if bad else "stopped" if run.stopped else "passed"
    flaky = f", {summary.flaky} flaky" if summary.flaky else ""
    lines = [
        f"# {code(run.suite)}: {verdict}\n\n",
        f"**{summary.last_line}{flaky}** in {run.duration_s:.1f} s,",
        f" {run.jobs} at a time, run {code(run.run_id)}\n\n",
    ]
    if run.stopped:
        lines.append(f"Stopped: {code(run.stopped)}\n\n")
    return "".join(lines)


def _list(section: Section) -> str:
    items = [_item(entry) for entry in section.entries[:_LISTED]]
    hidden = len(section.entries) - len(items)
    if hidden:
        items.append(f"- ... and {hidden} more\n")
    return "".join(items) + "\n"


def _item(entry: ResultEntry) -> str:
    message = entry.message or entry.reason
    tries = f" ({entry.tries})" if entry.earlier else ""
    said = f": {code(message)}" if message else ""
    return f"- {entry.status.name} {code(entry.name)}{tries}{said}\n"


def _log(summary: Summary, entry: ResultEntry) -> str:
    """Return the diff, or the end of the log, of *entry*, folded; nothing if there is none."""
    details = details_of(summary, entry)
    body = details.diff or last_lines(details.log)
    if not body:
        return ""
    title = html.escape(shown_line(entry.name))
    content = block(excerpt(body, _LOG_BYTES), "diff" if details.diff else "")
    return f"<details><summary><code>{title}</code></summary>\n\n{content}\n</details>\n\n"


def _slowest(summary: Summary) -> str:
    timed = [entry for entry in summary.entries if entry.time_s is not None]
    if len(timed) < 2:
        return ""
    slow = heapq.nlargest(_SLOWEST, timed, key=lambda entry: entry.time_s or 0.0)
    items = "".join(f"- {entry.time_s:.2f} s {code(entry.name)}\n" for entry in slow)
    return f"## Slowest\n\n{items}\n"
