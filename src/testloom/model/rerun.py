"""The command that runs one test again, ready to be pasted into a shell."""

from __future__ import annotations

import os
import shlex

from testloom.model.names import shown_line
from testloom.model.summary import ResultEntry


def rerun_command(entry: ResultEntry, program: str) -> str:
    """Return the command that runs the test of *entry* and nothing else.

    *program* is how the suite is started, quoted as the shell needs it.
    """
    options_end = "-- " if entry.test.startswith("-") else ""
    return f"{program} {options_end}{quoted(entry.test)}"


def quoted(text: str) -> str:
    r"""Return *text* as one word for the shell, safe to show.

    What must not reach a terminal is written as ``$'\xNN'``, which bash, zsh and ksh understand.

    >>> quoted("a/b c"), quoted("a\x1b[2Jb")
    ("'a/b c'", "$'a\\x1b[2Jb'")
    """
    if shown_line(text) == text:
        return shlex.quote(text)
    # A character that no terminal should see is written as the bytes that the shell makes of it.
    return "$'" + "".join(map(_in_ansi_c_quotes, text)) + "'"


def _in_ansi_c_quotes(char: str) -> str:
    if char in "\\'":
        return "\\" + char
    if shown_line(char) == char:
        return char
    try:
        data = os.fsencode(char)
    except UnicodeEncodeError:  # half of a character: no shell can pass that on
        data = char.encode("utf-8", "surrogatepass")
    # An octal escape has at most three digits; a hexadecimal one would swallow what follows.
    return "".join(f"\\{byte:03o}" for byte in data)
