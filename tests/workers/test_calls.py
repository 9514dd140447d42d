"""Plain functions as fragments: in processes, in threads, and here."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from testloom.model.errors import TestAbort, WorkersCannotStart
from testloom.processes.loop import EventLoop
from testloom.scheduling import MultiprocessScheduler, Phase
from testloom.scheduling.graph import Graph
from testloom.workers import calls as calls_module
from testloom.workers.calls import (
    Call,
    CallEnd,
    Calls,
    CallsInProcesses,
    Done,
    Failed,
    ProcessSettings,
    RemoteTraceback,
)
from testloom.workers.local_calls import CallsHere, CallsInThreads

LIMIT_S = 20.0
KINDS = ["processes", "threads", "here"]


class Lab:
    """Calls by name, each a function of the values before it, and where they run."""

    def __init__(self, kind: str, **settings: Any) -> None:
        self.graph = Graph()
        self.loop = EventLoop()
        self.kind = kind
        self.settings = settings
        self.scheduler: MultiprocessScheduler
        self.calls: Calls
        self.ends: dict[str, CallEnd] = {}
        self.on_collect: Callable[[str], None] = lambda _uid: None

    def add(
        self,
        uid: str,
        function: Callable[..., Any],
        after: str = "",
        timeout_s: float | None = None,
    ) -> None:
        self.graph.vertex_data[uid] = Call(function, timeout_s).fragment(uid)
        self.graph.predecessors[uid] = frozenset(after.split())

    def run(self, jobs: int = 2) -> dict[str, CallEnd]:
        dag: Any = self.graph
        self.scheduler = MultiprocessScheduler(
            dag, self._start, self._collect, jobs, loop=self.loop
        )
        about: dict[str, Any] = {
            "fragments": self.graph.vertex_data,
            "predecessors": self.graph.predecessors,
        }
        if self.kind == "processes":
            settings = ProcessSettings(**self.settings)
            self.calls = CallsInProcesses(loop=self.loop, settings=settings, **about)
        elif self.kind == "threads":
            self.calls = CallsInThreads(loop=self.loop, **about, **self.settings)
        else:
            self.calls = CallsHere(**about)
        try:
            self.scheduler.run()
        finally:
            self.calls.close()
        return self.ends

    def _start(self, uid: str, data: Any, slot: int) -> Any:
        return self.calls.worker(uid, data, slot)

    def _collect(self, worker: Any) -> None:
        self.ends[worker.uid] = self.calls.end_of(worker)
        self.on_collect(worker.uid)


@pytest.fixture
def lab() -> Iterator[Callable[..., Lab]]:
    labs: list[Lab] = []

    def make(kind: str = "processes", **settings: Any) -> Lab:
        labs.append(Lab(kind, **settings))
        return labs[-1]

    yield make
    for one in labs:
        one.loop.close()


@pytest.fixture(params=KINDS)
def each(request: pytest.FixtureRequest, lab: Callable[..., Lab]) -> Lab:
    return lab(request.param)


class Picky(Exception):
    """Cannot be unpickled: its constructor wants two arguments."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def fail(error: BaseException) -> Any:
    raise error


def test_values_go_to_those_that_follow(each: Lab) -> None:
    each.add("a", lambda _values: 1)
    each.add("b", lambda values: values["a"] + 1, after="a")
    each.add("c", lambda values: [values["a"]] * 2, after="a")
    each.add("d", lambda values: (values["b"], values["c"]), after="b c")

    assert each.run() == {"a": Done(1), "b": Done(2), "c": Done([1, 1]), "d": Done((2, [1, 1]))}


def test_no_value_is_a_value(each: Lab) -> None:
    each.add("a", lambda _values: None)
    each.add("b", lambda values: values, after="a")

    assert each.run() == {"a": Done(None), "b": Done({"a": None})}


@pytest.mark.parametrize("error", [ValueError("planted"), SystemExit(3), TestAbort()])
def test_what_a_call_raises_is_its_end(each: Lab, error: BaseException) -> None:
    each.add("a", lambda _values: fail(error))
    end = each.run()["a"]

    assert isinstance(end, Failed)
    assert (type(end.error), str(end.error)) == (type(error), str(error))


def test_an_exception_shows_where_in_the_other_process_it_was_raised(
    lab: Callable[..., Lab],
) -> None:
    it = lab()
    it.add("a", lambda _values: fail(ValueError("planted")))
    end = it.run()["a"]

    assert isinstance(end, Failed)
    assert end.why == "ValueError: planted"
    assert end.error is not None
    assert isinstance(end.error.__cause__, RemoteTraceback)
    assert "in fail\n    raise error" in str(end.error.__cause__)


def test_an_exception_that_cannot_be_unpickled_is_told_in_words(lab: Callable[..., Lab]) -> None:
    it = lab()
    it.add("a", lambda _values: fail(Picky(1, 2)))
    end = it.run()["a"]

    assert isinstance(end, Failed)
    assert repr(end.error) == "RuntimeError('Picky: 1 and 2')"


@pytest.mark.parametrize(
    ("do", "why"),
    [
        (lambda: os._exit(3), "its worker exited with status 3"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "its worker was killed by SIGKILL"),
        (threading.Lock, "its value cannot be sent: lock: cannot pickle"),
    ],
)
def test_a_call_that_does_not_get_to_return_says_why(
    lab: Callable[..., Lab], do: Callable[[], Any], why: str
) -> None:
    it = lab()
    it.add("a", lambda _values: do())
    it.add("b", lambda _values: "the next one runs", after="a")
    ends = it.run()

    assert isinstance(ends["a"], Failed)
    assert ends["a"].why.startswith(why)
    assert ends["b"] == Done("the next one runs")


def test_a_value_that_cannot_be_loaded_says_why(lab: Callable[..., Lab]) -> None:
    class Broken:
        def __reduce__(self) -> Any:
            return fail, (ValueError("planted"),)

    it = lab()
    it.add("a", lambda _values: Broken())

    assert it.run() == {"a": Failed("its value cannot be loaded: ValueError: planted")}


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("processes", "timed out after 0.05 s"),
        ("threads", "given up: a thread cannot be stopped"),
    ],
)
def test_a_time_limit_ends_the_call_and_nothing_else(
    lab: Callable[..., Lab], kind: str, why: str
) -> None:
    over = threading.Event()
    it = lab(kind)
    it.add("a", lambda _values: over.wait(LIMIT_S), timeout_s=0.05)
    it.add("b", lambda _values: "b", after="a")
    ends = it.run(jobs=2)
    over.set()
    for thread in threading.enumerate()[1:]:
        thread.join(LIMIT_S)

    assert ends == {"a": Failed(why), "b": Done("b")}
    assert threading.active_count() == 1


def test_a_process_runs_many_calls_and_keeps_what_they_change(lab: Callable[..., Lab]) -> None:
    kept: list[int] = []

    def note(_values: object) -> tuple[int, int]:
        kept.append(1)
        return os.getpid(), len(kept)

    it = lab()
    for number in range(5):
        it.add(f"c{number}", note)
    ends = it.run(jobs=1)
    values = [end.value for end in ends.values() if isinstance(end, Done)]

    assert len({pid for pid, _count in values}) == 1
    assert [count for _pid, count in values] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("limit", [1, 2])
def test_a_process_is_replaced_after_so_many_calls(lab: Callable[..., Lab], limit: int) -> None:
    it = lab(calls_per_process=limit)
    for number in range(5):
        it.add(f"c{number}", lambda _values: os.getpid())
    ends = it.run(jobs=1)
    pids = [end.value for end in ends.values() if isinstance(end, Done)]

    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [limit] * (5 // limit) + [1] * (
        5 % limit
    )


def test_each_process_is_initialized_once(lab: Callable[..., Lab]) -> None:
    seen: list[str] = []
    it = lab(initializer=seen.append, initargs=("ready",))
    for number in range(3):
        it.add(f"c{number}", lambda _values: list(seen))

    assert list(it.run(jobs=1).values()) == [Done(["ready"])] * 3
    assert seen == []


def test_each_thread_is_initialized_once(lab: Callable[..., Lab]) -> None:
    local = threading.local()

    def prepare() -> None:
        local.count = getattr(local, "count", 0) + 1

    it = lab("threads", initializer=prepare)
    for number in range(3):
        it.add(f"c{number}", lambda _values: local.count)

    assert list(it.run(jobs=2).values()) == [Done(1)] * 3


def test_a_thread_that_cannot_be_initialized_runs_nothing(lab: Callable[..., Lab]) -> None:
    it = lab("threads", initializer=lambda: fail(ValueError("planted")))
    it.add("a", lambda _values: "a")
    end = it.run()["a"]

    assert isinstance(end, Failed)
    assert end.why == "ValueError: planted"


def test_processes_that_cannot_be_initialized_end_the_run(lab: Callable[..., Lab]) -> None:
    it = lab(initializer=sys.exit, initargs=(7,), on_output=lambda _slot, _data: None)
    it.add("a", lambda _values: "a")
    with pytest.raises(WorkersCannotStart, match=r"3 workers in a row .* exit status 7"):
        it.run()


def test_output_goes_where_that_of_main_goes(
    lab: Callable[..., Lab], capfd: pytest.CaptureFixture[str]
) -> None:
    it = lab()
    it.add("a", lambda _values: os.write(1, b"from a process\n"))
    it.run()

    assert capfd.readouterr().out == "from a process\n"


def test_output_can_be_had_to_its_end(lab: Callable[..., Lab]) -> None:
    got = bytearray()

    def talk(_values: object) -> None:
        print("x" * 200_000)
        print("the end", file=sys.stderr)

    it = lab(on_output=lambda _slot, data: got.extend(data))
    it.add("a", talk)
    it.on_collect = lambda _uid: got.extend(b"collected\n")
    it.run()

    assert got == b"x" * 200_000 + b"\nthe end\ncollected\n"


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_values_of_any_size_arrive_and_leave_nothing(lab: Callable[..., Lab], size: int) -> None:
    it = lab()
    it.add("a", lambda _values: b"a" * size)
    for uid in ("b", "c"):
        it.add(uid, lambda values: values["a"] + b"b", after="a")
    it.add("d", lambda values: len(values["b"]) + len(values["c"]), after="b c")
    seen: list[int] = []
    it.on_collect = lambda _uid: seen.append(len(_parcels()))
    ends = it.run()

    assert ends["a"] == Done(b"a" * size)
    assert ends["d"] == Done(2 * size + 2)
    assert (max(seen) > 0) == (size > calls_module._PARCEL_BYTES)
    assert _parcels() == []


def _parcels() -> list[Path]:
    return list(Path("/dev/shm").glob(f"testloom-{os.getpid()}-*/*"))


def test_values_that_are_too_much_together_arrive(
    lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("testloom.workers.values.MAX_TOGETHER", 5000)
    it = lab()
    names = [f"r{number}" for number in range(20)]
    for name in names:
        it.add(name, lambda _values: "x" * 1000)
    it.add("all", lambda values: sum(map(len, values.values())), after=" ".join(names))

    assert it.run()["all"] == Done(20_000)
    assert _parcels() == []


def test_what_is_said_to_be_large_travels_in_shared_memory(lab: Callable[..., Lab]) -> None:
    it = lab(is_large=lambda value: value == "large")
    it.add("a", lambda _values: "large")
    it.add("b", lambda values: values["a"], after="a")
    seen: list[int] = []
    it.on_collect = lambda _uid: seen.append(len(_parcels()))

    assert it.run() == {"a": Done("large"), "b": Done("large")}
    assert seen == [1, 0]


def test_a_call_that_ignores_being_asked_is_killed(
    lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls_module, "GRACE_S", 0.1)

    def stubborn(_values: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        threading.Event().wait(LIMIT_S)

    it = lab()
    it.add("a", stubborn, timeout_s=0.05)
    began_at = time.monotonic()
    end = it.run()["a"]

    assert end == Failed("timed out after 0.05 s")
    assert time.monotonic() - began_at < LIMIT_S / 2


def test_other_threads_do_not_keep_processes_from_being_forked(lab: Callable[..., Lab]) -> None:
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        it = lab()
        it.add("a", lambda _values: "a")
        assert it.run() == {"a": Done("a")}
    finally:
        over.set()
        thread.join()


def test_what_has_not_begun_here_is_not_run_when_asked_to_stop(lab: Callable[..., Lab]) -> None:
    it = lab("here")
    ran: list[str] = []
    it.add("a", lambda _values: it.scheduler.stop(Phase.KILLING))
    it.add("b", lambda _values: ran.append("b"))
    ends = it.run()

    assert (ends["b"], ran) == (Failed("interrupted"), [])
