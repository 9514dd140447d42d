"""Which variables of an environment are not for other people's eyes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

HIDDEN: Final = "(hidden)"
_NAMES: Final = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|KEY|CREDENTIAL|AUTH|COOKIE", re.IGNORECASE
)
_USER_OF_URL: Final = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_SHORTEST: Final = 6
"""Values shorter than this are not looked for in others: they would be found everywhere."""


def redacted(environ: Mapping[str, str]) -> dict[str, str]:
    """Return *environ* in the order of its names, without what seems to be secret.

    That is the value of a variable whose name says so, the same value within others, and names
    and passwords within URLs.

    >>> redacted({"API_TOKEN": "s3cret!", "URL": "http://x:s3cret!@host/", "LANG": "C"})
    {'API_TOKEN': '(hidden)', 'LANG': 'C', 'URL': 'http://(hidden)@host/'}
    """
    secrets = [
        re.escape(value)
        for name, value in environ.items()
        if _NAMES.search(name) and len(value) >= _SHORTEST
    ]
    anywhere = re.compile("|".join(sorted(secrets, key=len, reverse=True)) or "(?!)")

    def shown(name: str, value: str) -> str:
        if _NAMES.search(name):
            return HIDDEN if value else ""
        return anywhere.sub(HIDDEN, without_users(value))

    return {name: shown(name, environ[name]) for name in sorted(environ)}


def without_users(text: str) -> str:
    """Return *text* with names and passwords of URLs in it hidden.

    >>> without_users("--history=postgresql://me:s3cret@db/runs")
    '--history=postgresql://(hidden)@db/runs'
    """
    return _USER_OF_URL.sub(HIDDEN, text)
