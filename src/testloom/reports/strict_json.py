"""Values as JSON that any parser takes, whatever text is in them."""

from __future__ import annotations

from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


def json_text(value: Any) -> str:
    """Return *value* as strict JSON: lone surrogates become escapes, NaN and infinity null."""
    return json_bytes(value).decode()


def json_bytes(value: Any) -> bytes:
    """Return what `json_text` does in UTF-8."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return _encode(_unicode(msgspec.to_builtins(value)))


def _unicode(value: Any) -> Any:
    """Return *value*, made of JSON's types, with every lone surrogate written as an escape."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, list | tuple):
        return [_unicode(item) for item in value]
    if isinstance(value, dict):
        return {_unicode(key): _unicode(item) for key, item in value.items()}
    return value
