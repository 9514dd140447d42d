r"""Text of any origin made safe to stand in an XML 1.0 document.

What XML cannot hold, and every other control character, is written as the escape that
`testloom.model.names.shown` makes of it (``\x00``, ``\ufffe``), so that readers see it and
parsers do not alter it.
"""

from __future__ import annotations

from testloom.model.names import shown, shown_line


def text(raw: str) -> str:
    """Return *raw* as the content of an element."""
    return shown(raw).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def attribute(raw: str) -> str:
    """Return *raw* as the value of an attribute in double quotes, on one line."""
    if raw.isascii() and raw.isalnum():
        return raw
    return (
        shown_line(raw)
        .replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace('"', "&quot;")
    )


def attributes(**values: str | int | None) -> str:
    """Return attributes, each with a space before it; those that are None are left out.

    >>> attributes(name='a "b"', tests=3, file=None)
    ' name="a &quot;b&quot;" tests="3"'
    """
    return "".join(
        f' {name}="{value if isinstance(value, int) else attribute(value)}"'
        for name, value in values.items()
        if value is not None
    )
