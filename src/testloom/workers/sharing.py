"""Lets the fragments of one test see what the others set on their driver, wherever they run.

Drivers written for threads keep their state in attributes.  Along a chain (each fragment has
one successor) the fragments run in one worker, on one driver object, and nothing has to be done.
Where a test forks and joins, its fragments may run in several workers; then each sends on what
it changed, attribute by attribute, marked with the number of the attempt that changed it.  An
attempt that started later has seen the earlier ones it follows, so the highest number wins.
Attributes that cannot be pickled stay where they are.
"""

from __future__ import annotations

import contextlib
import pickle
from typing import Any

_OURS = frozenset(
    {
        "env",
        "test_env",
        "testsuite_options",
        "_result_queue",
        "_pending",
        "execution_started",
        "on_push",
        "Fore",
        "Style",
    }
)
_MAX_BYTES = 8 * 1024 * 1024

_State = dict[str, tuple[int, bytes]]
"""attribute -> number of the attempt that set it, pickled value"""


class SharedState:
    """The attributes of one driver object in one process."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._state: _State = {}
        self._looks: dict[str, bytes] = {}
        """What each attribute was pickled as, in this process, when it was last looked at.  What
        has travelled may be pickled otherwise (a set of text has another order in each
        interpreter) although nobody has changed it."""

    def apply(self, states: list[bytes]) -> None:
        """Set on the driver what other processes have set on theirs."""
        for data in states:
            incoming: _State = pickle.loads(data)  # noqa: S301 - from a process of the same run
            for name, (attempt, value) in incoming.items():
                known = self._state.get(name)
                if known is None or attempt > known[0]:
                    self._state[name] = (attempt, value)
                    with contextlib.suppress(Exception):
                        setattr(self._driver, name, pickle.loads(value))  # noqa: S301 - as above
                        self._looks[name] = _pickled(getattr(self._driver, name))

    def note(self, attempt: int) -> None:
        """Note what has changed since the last time, as the doing of *attempt*."""
        for name, value in list(vars(self._driver).items()):
            if name in _OURS:
                continue
            try:
                data = _pickled(value)
            except Exception:  # noqa: BLE001, S112 - it stays where it is
                continue
            if len(data) <= _MAX_BYTES and self._looks.get(name) != data:
                self._state[name] = (attempt, data)
                self._looks[name] = data

    def packed(self) -> bytes:
        """Return everything that is known, for `apply` elsewhere."""
        return _pickled(self._state)


def _pickled(value: Any) -> bytes:
    return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
