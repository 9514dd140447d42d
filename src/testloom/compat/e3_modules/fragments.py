"""The scheduler and the fragments under the names of e3-testsuite.

testloom's own scheduler takes their place; what is here keeps imports, `isinstance` and direct
use of the scheduler working.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from e3.collection.dag import DAG

from testloom.model.errors import UsageError
from testloom.scheduling import scheduler as native
from testloom.scheduling.worker import Worker

WorkData = TypeVar("WorkData")
SomeWorker = TypeVar("SomeWorker", bound=Worker)
JobFactoryCallback: TypeAlias = Callable[[str, Any, int], Worker]
CollectResultCallback: TypeAlias = Callable[[Any], None]


class TestFragment:
    """A fragment while it runs."""

    __test__ = False


class ThreadTestFragment(TestFragment):
    """One that runs in a thread: there are none, all run in workers."""


class ProcessTestFragment(Worker, TestFragment):
    """One that runs in a process of its own."""


class MultiprocessScheduler(native.MultiprocessScheduler):
    """Runs the vertices of a graph in slots; see testloom's own.

    *running_status* is told when a worker starts and when it has ended.
    """

    def __init__(
        self,
        dag: DAG,
        job_factory: JobFactoryCallback,
        collect_result: CollectResultCallback,
        running_status: Any = None,
        jobs: int = 0,
        dyn_poll_interval: bool = True,
    ) -> None:
        def start(uid: str, data: Any, slot: int) -> Worker:
            worker = job_factory(uid, data, slot)
            if running_status is not None:
                running_status.start(worker)
            return worker

        def collect(worker: Any) -> None:
            collect_result(worker)
            if running_status is not None:
                running_status.complete(worker)

        super().__init__(dag, start, collect, jobs=jobs, dyn_poll_interval=dyn_poll_interval)
        if running_status is not None and hasattr(running_status, "set_dag"):
            running_status.set_dag(dag)


def run_fragment(argv: list[str] | None = None) -> None:
    """Refuse: workers of testloom are not started by name.

    Raises:
        UsageError: always.
    """
    raise UsageError(f"e3-run-test-fragment is not used under testloom (called with {argv})")
