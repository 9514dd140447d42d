"""How pytest is told of a test that ran elsewhere, or earlier: as if it had just run here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def tell(item: Any, reports: Iterable[Any], location: Any) -> None:
    """Let pytest's hooks know of *reports* of *item*, which is at *location*."""
    hook = item.ihook
    hook.pytest_runtest_logstart(nodeid=item.nodeid, location=location)
    for report in reports:
        hook.pytest_runtest_logreport(report=report)
    hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=location)
