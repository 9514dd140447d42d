"""When there are colours, and what they look like."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from testloom.console.color import wants_color
from testloom.console.spans import STYLES, render


@pytest.mark.parametrize(
    ("choice", "environ", "terminal", "wanted"),
    [
        ("auto", {}, False, False),
        ("auto", {"TERM": "xterm"}, True, True),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"TERM": "xterm", "NO_COLOR": "1"}, True, False),
        ("auto", {"TERM": "xterm", "NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"FORCE_COLOR": "0"}, False, False),
        ("auto", {"CLICOLOR_FORCE": "1"}, False, True),
        ("auto", {"CLICOLOR_FORCE": "0"}, False, False),
        ("auto", {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
        ("auto", {"FORCE_COLOR": "1", "TERM": "dumb"}, False, True),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colours_are_used_when(
    choice: str, environ: Mapping[str, str], terminal: bool, wanted: bool
) -> None:
    assert wants_color(choice, environ, terminal=terminal) is wanted


def test_lines_become_plain_text_without_blanks_at_their_ends() -> None:
    assert render([[("a ", "fail"), ("b  ", "")], []], color=False) == "a b\n\n"


def test_lines_become_coloured_text_that_ends_each_style() -> None:
    lines = [[("FAIL", "fail"), (" ", ""), ("x", "faint"), ("", "name")]]
    assert render(lines, color=True) == "\x1b[1;31mFAIL\x1b[0m \x1b[2mx\x1b[0m\n"


@pytest.mark.parametrize("style", STYLES)
def test_every_style_can_be_rendered(style: str) -> None:
    assert render([[("x", style)]], color=True).startswith("\x1b[")
