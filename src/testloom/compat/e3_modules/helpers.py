"""Marks what is kept for old suites only."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def deprecated(stacklevel: int = 1) -> Callable[[F], F]:
    """Return a decorator that warns the first time its function is called.

    *stacklevel* says which caller is warned: 1 the direct one.
    """

    def decorate(function: F) -> F:
        warned = False

        @functools.wraps(function)
        def wrapper(*args: Any, **named: Any) -> Any:
            nonlocal warned
            if not warned:
                warned = True
                warnings.warn(
                    "This function is obsolete and will be removed; use the report index",
                    DeprecationWarning,
                    stacklevel=stacklevel + 1,
                )
            return function(*args, **named)

        return wrapper  # type: ignore[return-value]  # it has the signature of what it wraps

    return decorate
