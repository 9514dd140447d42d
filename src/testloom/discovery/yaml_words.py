"""Reads the simplest YAML without a parser: lines of ``key: some words`` that can mean nothing else.

Most ``test.yaml`` are two or three such lines, and the parser takes twice as long for them as
opening and reading the file.
"""

from __future__ import annotations

import re
from typing import Final

from testloom.discovery.yaml_values import is_text

# No quotes at the beginning, no colon or `#` inside, no blank at the end; a longer key is an error.
_LINES: Final = re.compile(
    rb"""(?: [A-Za-z_][A-Za-z0-9_-]{0,99} :[ ]
             [A-Za-z_](?: [A-Za-z0-9_./,;()'"=<>?+ -]* [A-Za-z0-9_./,;()'"=<>?+-] )? \n )+""",
    re.VERBOSE,
)
_MOST_BYTES: Final = 4096


def mapping(data: bytes) -> dict[str, str] | None:
    r"""Return what the YAML text *data* says if that is certain without a parser, else None.

    >>> mapping(b"driver: run\ndescription: an empty file, as input\n")
    {'driver': 'run', 'description': 'an empty file, as input'}
    >>> mapping(b"driver: no\n")
    """
    if len(data) > _MOST_BYTES or not _LINES.fullmatch(data):
        return None
    found: dict[str, str] = {}
    for line in data.decode("ascii").splitlines():
        key, _, value = line.partition(": ")
        if key in found or not (is_text(key) and is_text(value)):
            return None
        found[key] = value
    return found
