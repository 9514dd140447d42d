r"""How names and texts of unknown origin become safe to show and to make paths of.

A test's name is any text.  It never becomes a path as it is: `path_for` gives the name of a
directory entry that is short, ASCII and different for different names.  `shown` makes control
characters visible, so that what a test prints cannot drive the reader's terminal.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

_PLAIN: Final = re.compile(r"[A-Za-z0-9_+=,@%][A-Za-z0-9._+=,@%-]{0,119}\Z")
_ODD: Final = re.compile(r"[^A-Za-z0-9_]+")
_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_UNSAFE_IN_LINE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def path_for(name: str) -> str:
    """Return a file name for the test called *name*: the name itself if it is a plain one.

    Others give at most 60 characters of it and 16 hexadecimal digits of its SHA-256.

    >>> path_for("parser__errors__eof")
    'parser__errors__eof'
    >>> path_for("../../etc/passwd")
    'etc-passwd-3754d6cb3a38e118'
    """
    if _PLAIN.match(name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    slug = _ODD.sub("-", name).strip("-")[:60]
    return f"{slug}-{digest}" if slug else digest


def shown(text: str) -> str:
    """Return *text* with control characters but tab and newline made visible as escapes."""
    return _UNSAFE.sub(_escape, text) if _UNSAFE.search(text) else text


def shown_line(text: str) -> str:
    """Return *text* fit for one line: every control character is made visible as an escape."""
    return _UNSAFE_IN_LINE.sub(_escape, text) if _UNSAFE_IN_LINE.search(text) else text


def encodable(text: str) -> str:
    r"""Return *text* with all that UTF-8 has no code for as escapes.

    >>> encodable("caf\udce9")
    'caf\\xe9'
    """
    try:
        # Bytes that were no text stand in it as surrogates.
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is no text
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
