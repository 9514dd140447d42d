"""The queue of this machine: which resources a local job may ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from testloom.cluster import request
from testloom.model.cluster import ClusterQueue

Reader = Callable[[Any], float]

_READERS: Final[Mapping[str, Reader]] = {
    "cores": request.cores,
    "memory": request.memory_bytes,
    "runtime": request.runtime_s,
}


class MultiprocessQueue(ClusterQueue):
    """A queue of jobs on this machine.

    Args:
        queue_id: its number.
        queue_name: its name.
        parameters: resource -> (least, most).  ``cores`` has to be there; ``memory`` and
            ``runtime`` may be.
    """

    def __init__(self, queue_id: int, queue_name: str, parameters: dict[str, Any]) -> None:
        if "cores" not in parameters:
            raise ValueError(
                f"queue {queue_name!r} has no 'cores' among its parameters; "
                "give it (least, most), such as (1, 4)"
            )
        for name, reader in _READERS.items():
            if name in parameters:
                _check_range(queue_name, name, parameters[name], reader)
        self._queue_id = queue_id
        self._queue_name = queue_name
        self._parameters = parameters

    def validate_resources(self, strict: bool = False, **kwargs: Any) -> tuple[bool, str]:
        """Tell whether the resources *kwargs* can be had here, and what is wrong with them."""
        complaints = []
        if kwargs.get("cores") is None:
            complaints.append("no cores are asked for")
        is_nonsense = False
        for name, value in self._asked(kwargs):
            try:
                number = _READERS[name](value)
            except ValueError as error:
                is_nonsense = True
                complaints.append(str(error))
                continue
            least, most = self._range(name)
            if number < least:
                complaints.append(f"{name}: {value!r} is less than {self._parameters[name][0]!r}")
            elif number > most:
                complaints.append(f"{name}: {value!r} is more than {self._parameters[name][1]!r}")
        is_fine = not complaints or not (strict or is_nonsense)
        tail = f" (queue {self.queue_name!r})" if complaints else ""
        return is_fine, "; ".join(complaints) + tail

    def coerce_resources(self, **kwargs: Any) -> dict[str, Any]:
        """Return *kwargs* with each resource that has a range here brought into it.

        Without cores, the least number of them is asked for.

        Raises:
            ValueError: a value makes no sense.
        """
        found = dict(kwargs)
        if found.get("cores") is None:
            found["cores"] = self._parameters["cores"][0]
        for name, value in self._asked(found):
            number = _READERS[name](value)
            least, most = self._range(name)
            if number < least:
                found[name] = self._parameters[name][0]
            elif number > most:
                found[name] = self._parameters[name][1]
            elif name == "cores":
                found[name] = number
        return found

    def _asked(self, requested: Mapping[str, Any]) -> list[tuple[str, Any]]:
        return [
            (name, requested[name])
            for name in _READERS
            if name in self._parameters and requested.get(name) is not None
        ]

    def _range(self, name: str) -> tuple[float, float]:
        least, most = self._parameters[name]
        return _READERS[name](least), _READERS[name](most)

    @property
    def parameters(self) -> dict[str, Any]:
        return self._parameters

    @property
    def queue_name(self) -> str:
        return self._queue_name

    @property
    def queue_id(self) -> int:
        return self._queue_id

    @property
    def required_resources(self) -> list[str]:
        return ["cores"]


def _check_range(queue: str, name: str, given: Any, reader: Reader) -> None:
    try:
        least, most = given
        is_range = reader(least) <= reader(most)
    except (TypeError, ValueError):
        is_range = False
    if not is_range:
        raise ValueError(f"queue {queue!r}: {name} must be (least, most), not {given!r}")
