"""Runs fragments in the main process, with its terminal: for debugging, one at a time.

Nothing protects the run from what a fragment does here: no time limit, no containment.
"""

from __future__ import annotations

import os
import pdb  # noqa: T100 - debugging is what --pdb is for
import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from testloom.model.fragment import FragmentData
from testloom.model.outcome import FragmentEnd, Returned, Stopped
from testloom.processes import tree
from testloom.processes.hygiene import Baseline
from testloom.processes.loop import EventLoop
from testloom.scheduling.worker import Worker
from testloom.workers import running
from testloom.workers.live_values import LiveValues


class InProcessWorkers:
    """Makes workers that run their fragment at once, in this process.

    Args:
        predecessors: uid -> the uids it follows.
        fragments: uid -> fragment.
        loop: the scheduler's event loop.
        env: the suite's environment.
        post_mortem: whether to start the debugger where a fragment raises.
        repeatable: uids of the fragments that may run more than once.
    """

    def __init__(
        self,
        *,
        fragments: Mapping[str, FragmentData],
        predecessors: Mapping[str, frozenset[str]],
        loop: EventLoop,
        env: Any,
        post_mortem: bool = False,
        repeatable: Collection[str] = (),
    ) -> None:
        self.env = env
        self.loop = loop
        self._post_mortem = post_mortem
        self._repeatable = repeatable
        self._untouched: dict[int, dict[str, Any]] = {}
        """Identity of a driver that may run again -> its attributes as they were at first."""
        self._fragments = fragments
        self._values = LiveValues(fragments, predecessors)

    lays_out = None
    """What runs here does not go on by itself."""

    def worker(self, uid: str, data: FragmentData, slot: int) -> InProcessWorker:
        """Run fragment *uid*: the job factory of a scheduler."""
        return InProcessWorker(self, uid, data, slot)

    def run(self, worker: InProcessWorker, data: FragmentData) -> None:
        """Run the fragment of *worker*, keeping the value itself for those that follow."""
        values = self._values.of_those_before(worker.uid)
        if worker.uid in self._repeatable:
            self._untouched.setdefault(id(data.driver), dict(vars(data.driver)))
        else:
            self.release([worker.uid])
        baseline = Baseline()
        report, value = running.call(data, values, worker.slot, worker.results.append, wanted=False)
        if self._post_mortem and isinstance(value, BaseException) and report.raised:
            traceback.print_exception(value)
            pdb.post_mortem(value.__traceback__)
        self._values.put(worker.uid, value)
        sys.stdout.flush()
        self.loop.look()
        # The environment, the directory and so on; what it has started may be our own.
        leaks, _fit = baseline.restore(spare=tree.children(os.getpid()))
        worker.wall_s, worker.cpu_s = report.wall_s, report.cpu_s
        worker.end = Returned(raised=report.raised, aborted=report.aborted, leaks=tuple(leaks))

    def again(self, uids: Iterable[str]) -> None:
        """Let all fragments of a test run once more, on a driver as it was at first."""
        driver = self._fragments[next(iter(uids))].driver
        attributes = vars(driver)
        attributes.clear()
        attributes.update(self._untouched[id(driver)])

    def release(self, uids: Iterable[str]) -> None:
        """Let go of what *uids*, which do not run again, were given."""
        for uid in uids:
            self._untouched.pop(id(self._fragments[uid].driver), None)
            self._values.release(uid)

    def look(self, slot: int) -> tuple[int, bytes]:  # noqa: ARG002 - the interface's argument
        """Know nothing: there is no process of a slot here."""
        return 0, b""

    def pause(self) -> bool:
        """Do nothing: what runs here is stopped with this process."""
        return False

    def resume(self, paused_s: float) -> None:
        """Do nothing."""

    def dismiss(self) -> None:
        """Nothing is left running."""

    def close(self) -> None:
        """Nothing is left running."""


class InProcessWorker(Worker):
    """One fragment, run as soon as the scheduler knows of it."""

    def __init__(self, workers: InProcessWorkers, uid: str, data: FragmentData, slot: int) -> None:
        self._workers = workers
        self._data = data
        self.results: list[bytes] = []
        self.end: FragmentEnd | None = None
        self.wall_s = 0.0
        self.cpu_s = 0.0
        self.output = b""
        self.started_at = workers.loop.now()
        self._is_wanted = True
        super().__init__(uid, data.driver, data.name, slot, workers.env)

    def start(self) -> None:
        """Leave it to `watch`: the scheduler first has to know about this worker."""

    def watch(self, loop: EventLoop, ended: Callable[[], None]) -> bool:
        """Run the fragment in the loop's next round."""

        def run() -> None:
            if self._is_wanted:
                self._workers.run(self, self._data)
            else:
                self.end = Stopped("interrupted")
            ended()

        loop.call_soon(run)
        return True

    def poll(self, scheduler: object) -> bool:  # noqa: ARG002 - part of the documented interface
        return self.end is None

    def terminate(self) -> None:
        """Not if it has begun: then it has this process to itself."""
        self._is_wanted = False

    def kill(self) -> None:
        """Not if it has begun: then it has this process to itself."""
        self._is_wanted = False
