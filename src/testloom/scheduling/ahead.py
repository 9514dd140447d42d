"""Which slots go on by themselves with something else: looking ahead while units are short.

Between the end of a unit and the start of the next one in its slot lie two messages and the
scheduler's work.  Where units take milliseconds, that is worth avoiding: each busy slot may have
one more unit laid out, which its process begins without asking.  Until it does, the unit can be
taken back; so nothing waits behind a unit that takes longer than expected, and no slot is idle
while something is laid out for another one.

Pure: no processes, no clock; `LayOut` says who acts.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

SHORT_S: Final = 0.02
"""Units that take longer on average are not worth it."""
PATIENCE_S: Final = 0.02
"""What has not been begun so long after it was laid out is taken back."""
_FORGETS: Final = 0.1
"""How much the last unit counts when it is guessed how long the next one takes."""


class LayOut(Protocol):
    """Who lays units out for slots."""

    def lay_out(self, uid: str, data: Any, slot: int) -> bool:
        """Let busy *slot* go on with *uid* by itself; False if it cannot.

        The worker of the unit is made as soon as the slot is done with what it runs.
        """

    def take_back(self, slot: int) -> bool:
        """Take back what was laid out for *slot*, if it still is; False if it has begun with that."""


class Ahead:
    """What is laid out for which slot, and whether that is worth it."""

    def __init__(self) -> None:
        self._laid_out: dict[int, tuple[str, float]] = {}
        """slot -> the unit, and since when; the oldest comes first."""
        self._bare: dict[int, None] = {}
        """Slots that may have nothing laid out."""
        self._mean_s: float | None = None

    def __bool__(self) -> bool:
        """Whether something is laid out."""
        return bool(self._laid_out)

    @property
    def is_worth_it(self) -> bool:
        """Whether units have been so short that it is."""
        return self._mean_s is not None and self._mean_s < SHORT_S

    def began(self, slot: int) -> None:
        """Note that *slot* has begun with a unit."""
        self._bare[slot] = None

    def ran(self, wall_s: float) -> None:
        """Note how long a unit took."""
        before = self._mean_s
        self._mean_s = wall_s if before is None else before + _FORGETS * (wall_s - before)

    def next_bare(self) -> int | None:
        """Return a slot that began with something and has not been returned since."""
        return self._bare.popitem()[0] if self._bare else None

    def note(self, slot: int, uid: str, now: float) -> None:
        """Note that *uid* has been laid out for *slot*."""
        self._laid_out[slot] = uid, now

    def has(self, slot: int) -> bool:
        """Tell whether something is laid out for *slot*."""
        return slot in self._laid_out

    def take(self, slot: int) -> str | None:
        """Return what is laid out for *slot*, which it is not any more then."""
        found = self._laid_out.pop(slot, None)
        return None if found is None else found[0]

    def slots(self) -> list[int]:
        """Return the slots for which something is laid out, the oldest first."""
        return list(self._laid_out)

    def overdue(self, now: float) -> list[int]:
        """Return those for which it has been for too long."""
        return [slot for slot, (_, since) in self._laid_out.items() if now - since >= PATIENCE_S]
