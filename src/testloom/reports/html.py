"""The run as one HTML file that needs nothing else: people mail it, and open it from their disk.

The page holds its data, its style and its program.  The data come first: what is known of each
test in blocks of some hundred kilobytes (`html_details`), then the index of all results
(`html_index`), each a ``script`` element of a type that no browser runs, compressed, in base64.
The program (``html_assets/``) reads the index at once and a block when one of its tests is looked
at, so a page of 10,000 results opens at once.

Nothing that a test wrote stands in the page as markup, but for the list of failures that is shown
where scripts do not run; that is escaped.  The content security policy lets the page run this one
program, use this one style, and load nothing at all.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import importlib.resources
import re
import zlib
from collections.abc import Iterator
from typing import Final

from testloom.model.names import shown_line
from testloom.model.summary import ResultEntry, Summary
from testloom.reports.html_details import Blocks
from testloom.reports.html_history import Past
from testloom.reports.html_index import index_of
from testloom.reports.html_spans import spans_of
from testloom.reports.strict_json import json_bytes

_LIBRARIES: Final = ("vendor/preact.js", "vendor/preact-hooks.js")
_SCRIPTS: Final = (
    "elements.js",
    "data.js",
    "query.js",
    "text.js",
    "diff.js",
    "table.js",
    "test-page.js",
    "causes.js",
    "history.js",
    "lanes.js",
    "timeline.js",
    "graph.js",
    "tables.js",
    "app.js",
)
"""The parts of the program, in the order in which they need each other."""
_LEVEL: Final = 2
"""How hard to compress: more takes three times as long and saves a tenth."""
_FALLBACK_ROWS: Final = 200
"""Failures listed where scripts do not run."""


class HtmlReport:
    """The ``html`` report."""

    name: Final = "html"
    default_file: Final = "report.html"

    def write(self, summary: Summary) -> Iterator[str]:
        """Yield the page piece by piece."""
        script, style = _script(), _style()
        yield _head(summary, script, style)
        yield from _without_scripts(summary)
        past = Past(summary)
        blocks = Blocks(summary, past)
        for number, block in enumerate(blocks):
            yield _data(f"block-{number}", block)
        spans = spans_of(summary)
        yield _data("spans", json_bytes(spans))
        index = index_of(summary, blocks, past)
        index["spans"] = len(spans["test"])
        index["edges"] = sum(map(len, spans["after"]))
        yield _data("index", json_bytes(index))
        yield f"<script>{script}</script>\n</body>\n</html>\n"


def _head(summary: Summary, script: str, style: str) -> str:
    # An icon made here keeps servers from being asked for one.
    color = "#c4313b" if summary.failed else "#1c7f4d"
    icon = (
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>"
        f"<circle cx='8' cy='8' r='7' fill='{color.replace('#', '%23')}'/></svg>"
    )
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)};"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>{_escaped(summary.run.suite)}: {summary.last_line}</title>
<link rel="icon" href="data:image/svg+xml,{icon}">
<style>{style}</style>
</head>
<body>
"""


def _without_scripts(summary: Summary) -> Iterator[str]:
    """Yield what is shown until the program runs, or where it may not: counts and failures."""
    bad = [entry for entry in summary.entries if entry.status.is_bad]
    yield f'<div id="app">\n<main class="plain">\n<h1>{_escaped(summary.run.suite)}</h1>\n'
    yield f"<p>{summary.last_line} in {summary.run.duration_s:.1f} s</p>\n<ul>\n"
    yield from map(_plain_row, bad[:_FALLBACK_ROWS])
    yield "</ul>\n"
    if len(bad) > _FALLBACK_ROWS:
        yield f"<p>and {len(bad) - _FALLBACK_ROWS} more</p>\n"
    yield "</main>\n</div>\n"


def _plain_row(entry: ResultEntry) -> str:
    message = entry.message or entry.reason
    says = f": {_escaped(message)}" if message else ""
    return f"<li>{entry.status.name} <b>{_escaped(entry.name)}</b>{says}</li>\n"


def _data(name: str, content: bytes) -> str:
    packed = base64.b64encode(zlib.compress(content, _LEVEL)).decode("ascii")
    return f'<script type="text/plain" id="{name}">{packed}</script>\n'


@functools.cache
def _script() -> str:
    """Return the program; its parts share one scope, which is not that of the page."""
    licences = [f"/*! {name}\n{_asset(name)}*/" for name in ("LICENSE", "vendor/LICENSE")]
    libraries = [re.sub(r"(?m)^//# sourceMapping.*\n?", "", _asset(name)) for name in _LIBRARIES]
    own = "\n".join(map(_asset, _SCRIPTS))
    return "\n".join([*licences, *libraries, f"(() => {{\n{own}}})();"])


@functools.cache
def _style() -> str:
    return _asset("report.css")


def _asset(name: str) -> str:
    files = importlib.resources.files("testloom.reports")
    return files.joinpath("html_assets", name).read_text("utf-8")


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _escaped(text: str) -> str:
    return html.escape(shown_line(text))
