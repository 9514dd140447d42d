"""What GitHub shows of a run: annotations beside the lines of a pull request, and a summary.

GitHub takes ten annotations of a kind from a step, so there are no more than ten: failures that
were not there before come first, and the last one says how many are missing.  The summary of a
step is Markdown, and may have no more than a mebibyte.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from testloom.model.names import shown_line
from testloom.model.summary import ResultEntry, Summary
from testloom.reports.markdown import MarkdownReport, cut_to
from testloom.reports.sections import new_first
from testloom.reports.sources import Sources

MOST: Final = 10
STEP_SUMMARY_BYTES: Final = 1_000_000
_MESSAGE: Final = 1000
"""Characters of a message that are shown."""


def add_step_summary(summary: Summary, path: str) -> None:
    """Append the run to the summary of the step, as far as there is room.

    Raises:
        OSError: the file cannot be written.
    """
    with open(path, "a", encoding="utf-8") as file:
        room = STEP_SUMMARY_BYTES - file.tell()
        file.writelines(cut_to(MarkdownReport().write(summary), room))


class GitHubReport:
    """The ``github`` report: a workflow command a line."""

    name: Final = "github"
    default_file: Final = "annotations.txt"

    def write(self, summary: Summary) -> Iterator[str]:
        """Yield the annotations, each with its line end."""
        sources = Sources(summary.run.root)
        bad = new_first(summary)
        few = bad if len(bad) <= MOST else bad[: MOST - 1]
        yield from (_annotation(entry, sources) for entry in few)
        if len(bad) > len(few):
            yield f"::error::{len(bad) - len(few)} more failures: see the summary of the run\n"


def _annotation(entry: ResultEntry, sources: Sources) -> str:
    source = sources.of(entry)
    place = f"file={_property(source)},line={entry.line}," if source else ""
    title = f"{entry.status.name} {entry.name}"
    message = entry.message or entry.reason or entry.status.name
    return f"::error {place}title={_property(title)}::{_data(message)}\n"


def _data(text: str) -> str:
    """Return *text* as the message of a command: one line, whatever is in it."""
    return shown_line(text[:_MESSAGE]).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
