"""Globs over paths, and the patterns that users of e3-testsuite write: regexps or plain text.

In a glob ``*`` and ``?`` stop at a slash, ``**`` does not, and what matches a directory matches
all that is below it.
"""

from __future__ import annotations

import logging
import os
import re
import warnings
from typing import Final

logger = logging.getLogger("testsuite")

_PART: Final = re.compile(r"\*\*/|\*\*|\*|\?|\[!?\]?[^]]*\]|[^*?\[]+|\[", re.DOTALL)


def is_glob(text: str) -> bool:
    """Tell whether *text* is meant as a glob rather than as a regexp or a name."""
    return bool(re.search(r"[*?\[]", text)) and not re.search(r"[$^|(){}\\+]|\.[*?]", text)


class Glob:
    """A glob for the directories, files and names of tests.

    It is relative to *cwd* or to *test_dir*.  If it is *floating* and has no slash, it matches
    the name of any directory below *test_dir*.
    """

    def __init__(self, text: str, *, cwd: str, test_dir: str, floating: bool = False) -> None:
        self.text = text
        plain = text.rstrip("/") or text
        heads = [_whole(_below(base, plain)) for base in (cwd, test_dir)]
        if floating and "/" not in plain:
            heads.append(_whole(_below(test_dir, "**/" + plain)))
        self._path = compiled(f"(?s:(?:{'|'.join(heads)})(?:/.*)?)\\Z")
        self._name = compiled(f"(?s:{_whole(plain)}(?:/.*)?)\\Z")

    def matches_path(self, path: str) -> bool:
        """Tell whether the absolute *path* matches, or a directory that it is in."""
        return self._path.match(path) is not None

    def matches_name(self, name: str) -> bool:
        """Tell whether *name* matches, or what comes before one of its slashes."""
        return self._name.match(name) is not None


def compiled(text: str) -> re.Pattern[str]:
    """Return *text* as a regexp.

    Raises:
        ValueError: it is none.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what future versions may read differently
            return re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"this is no regexp ({error}); mend or escape it") from None


def pattern(text: str) -> re.Pattern[str]:
    """Return *text* as a regexp; if it is none, one that matches the text itself."""
    try:
        return compiled(text)
    except ValueError as error:
        logger.debug(
            "Test pattern is not a valid regexp, try to match it as-is: %s: %s", text, error
        )
        return re.compile(re.escape(text))


def name_glob(text: str) -> re.Pattern[str]:
    """Return the regexp of the glob *text* for whole words such as tags."""
    return compiled(f"(?s:{_whole(text)})\\Z")


def _below(base: str, glob: str) -> str:
    """Return the glob *glob*, which is relative to the directory *base*, as an absolute one."""
    literal = re.sub(r"[*?\[]", r"[\g<0>]", base)
    return os.path.normpath(os.path.join(literal, glob))


def _whole(glob: str) -> str:
    return "".join(_translated(part) for part in _PART.findall(glob))


def _translated(part: str) -> str:
    match part:
        case "**/":
            return "(?:.*/)?"
        case "**":
            return ".*"
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
    if part[0] == "[" and part[-1] == "]" and len(part) > 2:
        inner = part[1:-1]
        negated = inner[0] == "!" and len(inner) > 1
        characters = inner[1:] if negated else inner
        # Only a dash between two characters that are in order keeps its meaning.
        safe = re.sub(r"[]\\^\[&~|]", r"\\\g<0>", characters)
        try:
            compiled(f"[{safe}]")
        except ValueError:  # a range such as z-a
            safe = re.escape(characters)
        return f"[{'^' if negated else ''}{safe}]"
    return re.escape(part)
