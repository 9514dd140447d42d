"""The commands that run tests again or look at them, ready to be pasted into a shell."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence

import msgspec

from testloom.model.names import shown_line
from testloom.model.summary import ResultEntry


class Commands(msgspec.Struct, frozen=True, kw_only=True):
    """How commands begin and end where a suite is used; all parts are quoted for the shell."""

    program: str = "testloom"
    """What starts the suite."""
    tool: str = "testloom"
    """What knows commands such as ``show``: a suite that is a program of its own does not."""
    places: Sequence[str] = ()
    """The options that had to be given for the project and its runs to be found."""
    paths: Sequence[str] = ()
    """The paths that were given."""
    selecting: Sequence[str] = ()
    """What else selected tests."""
    are_at_hand: bool = True
    """Whether people type where the run was; on a build server they don't."""

    def rerun(self, entry: ResultEntry) -> str:
        """Return the command that runs the test of *entry* and nothing else."""
        return " ".join((self.program, *self.places, *_operand(entry.test)))

    def rerun_failed(self) -> str:
        """Return the command that runs what failed in the last run."""
        return " ".join((self.program, *self.places, "--lf", *self.paths))

    def resume(self) -> str:
        """Return the command that goes on with the last run."""
        # Where nothing is selected, a run that is resumed tells what was.
        selection = (*self.selecting, *self.paths) if self.paths else ()
        return " ".join((self.program, *self.places, "--resume", *selection))

    def show(self, entry: ResultEntry) -> str:
        """Return the command that shows all that is known of *entry*."""
        return " ".join((self.tool, "show", *self.places, *_operand(entry.name)))

    def review(self) -> str:
        """Return the command that goes through outputs which could become baselines."""
        return " ".join((self.tool, "baseline", "review", *self.places))


def _operand(name: str) -> Sequence[str]:
    return ("--", quoted(name)) if name.startswith("-") else (quoted(name),)


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
