"""Which slots go on by themselves with something else: looking ahead while units are short.

Between the end of a unit and the start of the next one in its slot lie two messages and the
scheduler's work.  Where units take milliseconds, that is worth avoiding: each busy slot may have
a few more units laid out, which its process begins without asking.  Until it does, a unit can be
taken back; so nothing waits behind a unit that takes longer than expected, and no slot is idle
while something is laid out for another one.

And while all slots have something to go on with, nobody waits for main: it may rest, and find more
to do at a time, which takes less than being woken for each unit.  (Network drivers do the same
with interrupts, under the name of interrupt moderation.)

Pure: no processes, no clock; `LayOut` says who acts.
"""

from __future__ import annotations

import collections
from typing import Any, Final, Protocol

SHORT_S: Final = 0.02
"""Units that take longer on average are not worth it."""
PATIENCE_S: Final = 0.02
"""What has not been begun so long after the unit before it began is taken back."""
DEPTH: Final = 8
"""The most units that are laid out for a slot."""
_HORIZON_S: Final = 0.016
"""For how long they may last, on average; one may always be laid out."""
_REST_S: Final = 0.008
"""The longest rest: results are told that much later."""
_NAP_S: Final = 0.0002
"""Not worth it: the system wakes nobody much more exactly than that."""
_SHARE: Final = 0.75
"""Of the time that units are expected to last: not all of them last as long."""
_FORGETS: Final = 0.1
"""How much the last unit counts when it is guessed how long the next one takes."""


class LayOut(Protocol):
    """Who lays units out for slots."""

    def lay_out(self, uid: str, data: Any, slot: int) -> bool:
        """Let busy *slot* go on with *uid*, after what is laid out already; False if it cannot.

        The worker of the unit is made as soon as the slot is done with what comes before.
        """

    def laid_out(self, slot: int) -> int:
        """Return for how many units that holds: those of a process that has gone are forgotten."""

    def take_back(self, slot: int) -> int:
        """Take back what *slot* has not begun with, the last first; return how many are left."""


class Ahead:
    """What is laid out for which slot, and whether that is worth it."""

    def __init__(self) -> None:
        self._laid_out: dict[int, collections.deque[str]] = {}
        self._since: dict[int, float] = {}
        """The slots that run something, and since when."""
        self._with: list[int] = [0] * (DEPTH + 1)
        """How many of them have so many laid out."""
        self._total = 0
        self._bare: dict[int, None] = {}
        """Slots that may have fewer laid out than they could."""
        self._mean_s: float | None = None
        self._warm: set[int] = set()
        """The slots that have run something."""

    def __bool__(self) -> bool:
        """Whether something is laid out."""
        return self._total > 0

    @property
    def depth(self) -> int:
        """How many units to lay out for a slot, by how long they have taken."""
        mean_s = self._mean_s
        if mean_s is None or mean_s >= SHORT_S:
            return 0
        return DEPTH if mean_s * DEPTH <= _HORIZON_S else max(1, int(_HORIZON_S / mean_s))

    @property
    def rest_s(self) -> float:
        """For how long no slot is going to be done with all it has."""
        if self._mean_s is None:
            return 0.0
        fewest = next((count for count, slots in enumerate(self._with) if slots), 0)
        rest_s = min(_REST_S, _SHARE * fewest * self._mean_s)
        return rest_s if rest_s >= _NAP_S else 0.0

    def began(self, slot: int, now: float) -> None:
        """Note that *slot* has begun with a unit."""
        queue = self._laid_out.setdefault(slot, collections.deque())
        self._since[slot] = now
        self._with[len(queue)] += 1
        self._bare[slot] = None

    def ended(self, slot: int, now: float) -> None:
        """Note that it has ended."""
        self._with[len(self._laid_out[slot])] -= 1
        wall_s, before = now - self._since.pop(slot), self._mean_s
        if slot not in self._warm:
            self._warm.add(slot)
            return  # the start of its process is in that
        self._mean_s = wall_s if before is None else before + _FORGETS * (wall_s - before)

    def next_bare(self) -> int | None:
        """Return a slot that began with something and has not been returned since."""
        return self._bare.popitem()[0] if self._bare else None

    def note(self, slot: int, uid: str) -> None:
        """Note that *uid* has been laid out for *slot*, which runs something."""
        queue = self._laid_out[slot]
        self._count(slot, len(queue) + 1)
        queue.append(uid)

    def count(self, slot: int) -> int:
        """Return how many units are laid out for *slot*."""
        queue = self._laid_out.get(slot)
        return 0 if queue is None else len(queue)

    def last(self, slot: int) -> str | None:
        """Return the last of them."""
        queue = self._laid_out.get(slot)
        return queue[-1] if queue else None

    def take(self, slot: int) -> str:
        """Return the first that is laid out for *slot*, which it is not any more then."""
        queue = self._laid_out[slot]
        self._count(slot, len(queue) - 1)
        return queue.popleft()

    def keep(self, slot: int, count: int) -> list[str]:
        """Keep no more than *count* laid out for *slot*; return the others, the last first."""
        queue = self._laid_out.get(slot)
        if queue is None or len(queue) <= count:
            return []
        self._count(slot, count)
        return [queue.pop() for _ in range(len(queue) - count)]

    def _count(self, slot: int, count: int) -> None:
        """Note that *slot* is about to have *count* laid out."""
        before = len(self._laid_out[slot])
        self._total += count - before
        if slot in self._since:
            self._with[before] -= 1
            self._with[count] += 1

    def slots(self) -> list[int]:
        """Return the slots for which something is laid out."""
        return [slot for slot, queue in self._laid_out.items() if queue]

    def overdue(self, now: float) -> list[int]:
        """Return those whose process has not come to it for too long."""
        return [
            slot
            for slot, since in self._since.items()
            if now - since >= PATIENCE_S and self._laid_out[slot]
        ]
