"""The schedulers for graphs of calls: one protocol, with processes, threads or neither behind it.

::

    with AsyncMP(4) as scheduler:
        values = scheduler.run({"a": (load, "x.nc"), "b": (mean, "a")})
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from testloom.graph import trace
from testloom.graph.reading import Key, Node, Plan, read
from testloom.model.errors import UsageError, WorkersCannotStart, nearest
from testloom.processes.loop import EventLoop
from testloom.scheduling import MultiprocessScheduler, Needs, Phase, Worker, available_cores
from testloom.scheduling.graph import Graph
from testloom.workers.calls import Call, Calls, CallsInProcesses, Done, Failed, ProcessSettings
from testloom.workers.local_calls import CallsHere, CallsInThreads


class GraphError(RuntimeError):
    """A node failed; its cause is what the node raised."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.failures: dict[Key, GraphError] = {}
        """The error of each node that failed, by key, the first one first."""
        self.results: dict[Key, Any] = {}
        """The values of those that were to be returned and did not fail."""


class AsyncMP:
    """Runs the nodes of graphs in processes.

    Args:
        nprocesses: how many; None for one a core.
        initializer: called in each process first, with *initargs*.
        initargs: see *initializer*.
        maxtasksperchild: after how many nodes a process is replaced; None for never.
        context: accepted and not used: processes are forked.
        fail_fast: whether the first failure ends what runs; else what could have started by then
            still runs.
        profiler_filepath: where to write when which node ran, as a Chrome trace.

    Raises:
        ValueError: *nprocesses* is less than 1.
    """

    def __init__(
        self,
        nprocesses: int | None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        maxtasksperchild: int | None = None,
        context: object = None,
        *,
        fail_fast: bool = True,
        profiler_filepath: str | Path | None = None,
    ) -> None:
        del context
        if nprocesses is not None and nprocesses < 1:
            raise ValueError(f"the number of processes must be at least 1, not {nprocesses}")
        self.nprocesses = nprocesses or available_cores()
        self.fail_fast = fail_fast
        self.profiler_filepath = profiler_filepath
        self._initializer = initializer
        self._initargs = tuple(initargs)
        self._maxtasksperchild = maxtasksperchild

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Nothing is left to end: processes live as long as a run."""

    def run(
        self,
        graph: Any,
        verbose: bool = False,
        poll_frequency: float = 0.5,
        *,
        keep: str = "sinks",
        timeout_s: float | Mapping[Any, float] | None = None,
        needs: Mapping[Any, Needs] | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> dict[Key, Any]:
        """Run *graph*; return the values of the nodes that no other one needs.

        Args:
            graph: ``{key: (callable, argument, ...)}``, see `testloom.graph.reading`.
            verbose: whether to print what runs, and whose value is not needed any more.
            poll_frequency: accepted and not used: nothing polls.
            keep: ``"all"`` to return all values.
            timeout_s: how long a node may run, for all or by key.
            needs: what nodes take while they run, by key.
            limits: how much there is of what *needs* name.

        Raises:
            GraphError: a node failed.
            ValueError: the graph, or what is said about its nodes, makes no sense.
            TypeError: it is no graph.
        """
        del poll_frequency
        if keep not in ("sinks", "all"):
            raise ValueError(f"keep must be 'sinks' or 'all', not {keep!r}")
        plan = read(graph)
        _check_keys("needs", needs, graph)
        times = timeout_s if isinstance(timeout_s, Mapping) else dict.fromkeys(graph, timeout_s)
        _check_keys("timeout_s", times, graph)
        run = _Run(self, graph, plan, keep_all=keep == "all", verbose=verbose)
        try:
            return run.execute(times, needs or {}, limits)
        except UsageError as error:
            raise ValueError(str(error)) from None
        except WorkersCannotStart as error:
            raise RuntimeError(str(error)) from error
        finally:
            if self.profiler_filepath is not None:
                trace.write(self.profiler_filepath, run.spans)

    @property
    def jobs(self) -> int:
        """How many nodes run at the same time."""
        return self.nprocesses

    def _calls(self, graph: Graph, loop: EventLoop) -> Calls:
        """Return what nodes run in."""
        return CallsInProcesses(
            fragments=graph.vertex_data,
            predecessors=graph.predecessors,
            loop=loop,
            settings=ProcessSettings(
                initializer=self._initializer,
                initargs=self._initargs,
                calls_per_process=self._maxtasksperchild,
            ),
        )


class Threaded(AsyncMP):
    """Runs the nodes of graphs in threads. One that runs cannot be ended: it is given up."""

    def _calls(self, graph: Graph, loop: EventLoop) -> Calls:
        return CallsInThreads(
            fragments=graph.vertex_data,
            predecessors=graph.predecessors,
            loop=loop,
            initializer=self._initialize,
        )

    def _initialize(self) -> None:
        if self._initializer is not None:
            self._initializer(*self._initargs)


class SingleThreaded(Threaded):
    """Runs the nodes of graphs one after the other, in the process and thread that asks for it."""

    jobs = 1

    def _calls(self, graph: Graph, loop: EventLoop) -> Calls:  # noqa: ARG002 - nothing to wait for
        self._initialize()
        return CallsHere(fragments=graph.vertex_data, predecessors=graph.predecessors)


SCHEDULERS: Final[dict[str, type[AsyncMP]]] = {
    "multiprocessing": AsyncMP,
    "processes": AsyncMP,
    "threads": Threaded,
    "single-threaded": SingleThreaded,
}
"""The schedulers by name: ``SCHEDULERS[name](n, profiler_filepath=...)`` is a context with `run`."""


class _Run:
    """One graph while it runs."""

    def __init__(
        self, owner: AsyncMP, graph: Any, plan: Plan, *, keep_all: bool, verbose: bool
    ) -> None:
        self.spans: list[trace.Span] = []
        self._owner = owner
        self._nodes = plan.nodes
        self._say = print if verbose else lambda _line: None
        self._shown = graph if isinstance(graph, Mapping) else dict(graph.nodes(data="task"))
        wanted = tuple(self._shown) if keep_all else plan.sinks
        self._results: dict[Key, Any] = dict.fromkeys(wanted)
        """In the order of the graph."""
        self._missing = set(wanted) - plan.values.keys()
        self._results.update((key, plan.values[key]) for key in wanted if key in plan.values)
        self._failures: dict[Key, GraphError] = {}
        self._after: dict[str, set[str]] = {uid: set() for uid in plan.nodes}
        """uid -> those that need its value and have not ended."""
        for node in plan.nodes.values():
            for before in node.before:
                self._after[before].add(node.uid)
        self._started_at: dict[str, float] = {}

    def execute(
        self,
        times: Mapping[Key, float | None],
        needs: Mapping[Key, Needs],
        limits: Mapping[str, int] | None,
    ) -> dict[Key, Any]:
        graph = Graph()
        for uid, node in self._nodes.items():
            graph.vertex_data[uid] = Call(node.function, times.get(node.key)).fragment(uid)
            graph.predecessors[uid] = frozenset(node.before)
        self._loop = EventLoop()
        try:
            self._scheduler = MultiprocessScheduler(
                graph,
                self._start,
                self._collect,
                self._owner.jobs,
                loop=self._loop,
                needs={uid: needs[n.key] for uid, n in self._nodes.items() if n.key in needs},
                limits=limits,
            )
            self._calls = self._owner._calls(graph, self._loop)  # noqa: SLF001 - of the same module
            try:
                self._scheduler.run()
            finally:
                self._calls.close()
        finally:
            self._loop.close()
        return self._answer()

    def _start(self, uid: str, data: Any, slot: int) -> Worker:
        self._say(f"Executing: {self._nodes[uid].key}")
        self._started_at[uid] = self._loop.now()
        return self._calls.worker(uid, data, slot)

    def _collect(self, worker: Worker) -> None:
        node = self._nodes[worker.uid]
        end = self._calls.end_of(worker)
        self.spans.append(
            trace.Span(
                name=str(node.key),
                slot=worker.slot,
                begin_s=self._started_at.pop(worker.uid),
                end_s=self._loop.now(),
                failed=isinstance(end, Failed),
            )
        )
        match end:
            case Done(value):
                if node.key in self._missing:
                    self._missing.discard(node.key)
                    self._results[node.key] = value
            case Failed() if not worker.stopped:
                self._fail(node, end)
        for before in node.before:
            self._after[before].discard(worker.uid)
            if not self._after[before]:
                self._say(f"Removing {self._nodes[before].key} from data_map")

    def _fail(self, node: Node, end: Failed) -> None:
        key = node.key
        message = f"Command failure, key: '{key}'\ncommand:{_text(self._shown[key])}"
        error = GraphError(message if end.error is not None else f"{message}\n{end.why}")
        error.__cause__ = end.error
        if not self._failures:
            self._scheduler.drop_waiting()
            for uid in self._after[node.uid]:
                self._scheduler.discard(uid)
            if self._owner.fail_fast:
                self._scheduler.stop(Phase.TERMINATING)
        self._failures[key] = error

    def _answer(self) -> dict[Key, Any]:
        """Return the values, or raise the first failure with all that is known."""
        for key in self._missing:
            del self._results[key]
        for error in self._failures.values():
            error.failures, error.results = self._failures, self._results
            raise error
        return self._results


def _check_keys(what: str, said: Mapping[Key, Any] | None, graph: Any) -> None:
    for key in said or ():
        if key not in graph:
            near = nearest(str(key), map(str, graph))
            raise ValueError(f"{what}: {key!r} is not in the graph{near}")


def _text(task: Any) -> str:
    try:
        return str(task)
    except Exception as error:  # noqa: BLE001 - a foreign __repr__
        return f"(it cannot be shown: {type(error).__name__})"
