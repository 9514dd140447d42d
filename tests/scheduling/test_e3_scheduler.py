"""What was weak in the scheduler that this one stands in for, with real processes.

Workers are subclasses as existing suites have them: `start` returns a process.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any

import e3.os.process
import pytest
from e3.collection.dag import DAG

from testloom.model.errors import CycleError
from testloom.model.fragment import FragmentData
from testloom.processes import tree
from testloom.processes.clock import SystemClock, cpu_now
from testloom.scheduling import MultiprocessScheduler, Worker

Script = Callable[..., subprocess.CompletedProcess[str]]
LIMIT_S = 20.0


def graph(count: int, *, chain: bool = False) -> DAG:
    dag = DAG()
    for n in range(count):
        before = [f"v{n - 1}"] if chain and n else []
        dag.update_vertex(f"v{n}", data=n, predecessors=before, enable_checks=False)
    return dag


def worker_of(start: Callable[[Any], Any], **attributes: Any) -> Callable[[str, Any, int], Worker]:
    cls: Any = type("SomeWorker", (Worker,), {"start": start, **attributes})
    return lambda uid, data, slot: cls(uid, data, "run", slot, None)


def sh(code: str, **options: Any) -> Callable[[Any], subprocess.Popen[Any]]:
    return lambda _self: subprocess.Popen(["sh", "-c", code], **options)


def run(
    dag: DAG,
    start: Callable[[Any], Any],
    collect: Callable[[Any], Any],
    jobs: int = 2,
    **attributes: Any,
) -> list[Any]:
    """Run *dag*; return what *collect* made of each worker."""
    found: list[Any] = []
    MultiprocessScheduler(
        dag, worker_of(start, **attributes), lambda worker: found.append(collect(worker)), jobs
    ).run()
    return found


def test_workers_are_numbered_and_know_what_they_were_made_with() -> None:
    found = run(
        graph(2), sh("exit 0"), lambda w: (w.uid, w.driver, w.callback_name, w.slot, w.env, w.index)
    )
    indexes = [entry[-1] for entry in found]

    assert sorted(entry[:-1] for entry in found) == [
        ("v0", 0, "run", 0, None),
        ("v1", 1, "run", 1, None),
    ]
    assert len(set(indexes)) == 2


def test_a_worker_has_to_say_how_it_starts() -> None:
    with pytest.raises(NotImplementedError):
        Worker("uid", None, "run", 0, None)


@pytest.mark.parametrize("chain", [False, True])
def test_e3_scheduler_w1_polling(chain: bool) -> None:
    """Each end is seen when it happens: the old one needed 3.3 s for such a chain."""
    rounds = []
    found: list[int] = []
    scheduler = MultiprocessScheduler(
        graph(40, chain=chain),
        worker_of(sh("exit 3")),
        lambda worker: found.append(worker.process.returncode),
        2,
    )
    clock = SystemClock()
    started_at = clock.now()
    while scheduler.step():
        rounds.append(scheduler._polled.copy())
    took_s = clock.now() - started_at
    scheduler.loop.close()

    assert (found, set(map(len, rounds))) == ([3] * 40, {0})
    assert len(rounds) <= 80
    assert took_s < 2


@pytest.mark.slow
def test_e3_scheduler_w1_waiting_costs_nothing() -> None:
    before = cpu_now()
    rounds = []
    scheduler = MultiprocessScheduler(graph(2), worker_of(sh("sleep 0.4")), print, 2)
    while scheduler.step():
        rounds.append(1)
    scheduler.loop.close()

    assert len(rounds) <= 4
    assert cpu_now() - before < 0.1


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("streams", ["stdout", "stderr", "both", "merged"])
def test_e3_scheduler_w2_more_output_than_a_pipe_holds(streams: str, text: bool) -> None:
    options: dict[str, Any] = {"text": text}
    if streams in ("stdout", "both", "merged"):
        options["stdout"] = subprocess.PIPE
    if streams in ("stderr", "both"):
        options["stderr"] = subprocess.PIPE
    if streams == "merged":
        options["stderr"] = subprocess.STDOUT
    elif streams == "stdout":
        options["stderr"] = subprocess.DEVNULL
    elif streams == "stderr":
        options["stdout"] = subprocess.DEVNULL
    code = "yes | head -c 200000; yes | head -c 200000 >&2; exit 5"
    found = run(
        graph(3), sh(code, **options), lambda w: (w.process.communicate(), w.process.wait())
    )
    content: Any = "y\n" * 100_000 if text else b"y\n" * 100_000
    expected = {
        "stdout": (content, None),
        "stderr": (None, content),
        "both": (content, content),
        "merged": (content + content, None),
    }[streams]

    assert found == [(expected, 5)] * 3


@pytest.mark.parametrize("error", [e3.os.process.STDOUT, e3.os.process.PIPE])
def test_e3_scheduler_w2_more_output_of_a_process_of_e3(error: Any) -> None:
    def start(_self: Any) -> Any:
        code = "head -c 100000 /dev/zero; head -c 100000 /dev/zero >&2; exit 3"
        return e3.os.process.Run(
            ["sh", "-c", code], output=e3.os.process.PIPE, error=error, bg=True
        )

    found = run(graph(2), start, lambda w: (w.process.status, len(w.process.out + w.process.err)))

    assert found == [(3, 200_000)] * 2


def test_e3_scheduler_w2_a_daemon_that_holds_the_pipe() -> None:
    found = run(
        graph(1),
        sh("sleep 99 & echo $!", stdout=subprocess.PIPE),
        lambda w: int(w.process.communicate()[0]),
    )
    alive = not tree.is_zombie(found[0])
    tree.kill_below(os.getpid())

    assert alive


def test_e3_scheduler_w3_a_circle_is_refused() -> None:
    dag = graph(2, chain=True)
    dag.update_vertex("v0", predecessors=["v1"], enable_checks=False)
    with pytest.raises(CycleError, match="v0 -> v1 -> v0"):
        run(dag, sh("exit 0"), print)


def test_e3_scheduler_w4_a_factory_that_raises() -> None:
    make = worker_of(sh("trap '' TERM; sleep 99 & wait"))

    def factory(uid: str, data: Any, slot: int) -> Worker:
        if uid == "v2":
            raise ValueError("planted")
        return make(uid, data, slot)

    with pytest.raises(ValueError, match="planted"):
        MultiprocessScheduler(graph(4), factory, print, 3).run()
    tree.reap()

    assert not tree.has_children()


def test_e3_scheduler_w4_a_collector_that_raises() -> None:
    def start(worker: Any) -> Any:
        return subprocess.Popen(["sleep", "0" if worker.uid == "v0" else "99"])

    def collect(_worker: Worker) -> None:
        raise ValueError("planted")

    with pytest.raises(ValueError, match="planted"):
        MultiprocessScheduler(graph(3), worker_of(start), collect, 3).run()

    assert not tree.has_children()


def test_e3_scheduler_w4_time_limits() -> None:
    code = "trap '' TERM; setsid sleep 99 & sleep 99 & echo $!; wait; wait"
    found = run(
        graph(1),
        sh(code, stdout=subprocess.PIPE),
        lambda w: (w.timed_out, w.process.wait(), int(w.process.communicate()[0])),
        timeout_s=0.1,
        grace_s=0.1,
    )
    tree.reap()

    assert found[0][:2] == (True, -signal.SIGKILL)
    assert tree.is_zombie(found[0][2])
    assert not tree.has_children()


def test_a_process_that_has_ended_already_is_collected_at_once() -> None:
    def start(_self: Any) -> Any:
        return e3.os.process.Run(["sh", "-c", "echo x; exit 3"])

    found = run(graph(3, chain=True), start, lambda w: (w.process.status, w.process.out))

    assert found == [(3, "x\n")] * 3


@pytest.mark.slow
def test_what_is_no_process_is_asked_now_and_then() -> None:
    class Countdown:
        left = 3

        def poll(self) -> int | None:
            self.left -= 1
            return None if self.left else 7

        def wait(self) -> int:
            return 7

    assert run(graph(2), lambda _self: Countdown(), lambda w: w.process.left) == [0, 0]


def test_a_poll_that_raises_does_not_keep_the_slot() -> None:
    def poll(_self: Any, _scheduler: Any) -> bool:
        raise RuntimeError("planted")

    with pytest.raises(RuntimeError, match="planted"):
        run(graph(2), sh("exit 0"), print, poll=poll)

    assert not tree.has_children()


W5 = """
import sys
from e3.collection.dag import DAG
from testloom.scheduling import MultiprocessScheduler, Worker

class Done:
    def poll(self): return 0
    def wait(self): return 0

class W(Worker):
    def start(self): return Done()
    def watch(self, loop, ended):
        loop.call_soon(ended)
        return True

dag = DAG()
for n in range(30):
    dag.update_vertex(f"v{n}", data=n, predecessors=[f"v{n // 2}"] if n > 15 else [], enable_checks=False)
order = []
MultiprocessScheduler(dag, lambda u, d, s: W(u, d, "", s, None), lambda w: order.append(w.uid), 3).run()
print(*order)
"""


def test_e3_scheduler_w5_the_order_does_not_depend_on_the_hash_seed() -> None:
    orders = {
        subprocess.run(
            [sys.executable, "-c", W5],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=LIMIT_S,
        ).stdout
        for seed in ("1", "2", "3")
    }

    assert [order.split()[:4] for order in orders] == [["v0", "v1", "v2", "v3"]]


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["chain", "fan-in", "fan-out"])
def test_e3_scheduler_w5_the_work_is_linear(shape: str) -> None:
    """A scan of what is left for each unit would take minutes."""
    count = 20_000
    dag = DAG()
    before: Iterable[str] = ()
    for n in range(count):
        if shape == "chain":
            before = [f"v{n - 1}"] if n else []
        elif shape == "fan-out":
            before = ["v0"] if n else []
        elif n == count - 1:
            before = [f"v{m}" for m in range(n)]
        dag.update_vertex(f"v{n}", data=n, predecessors=list(before), enable_checks=False)

    def watch(_self: Any, loop: Any, ended: Any) -> bool:
        loop.call_soon(ended)
        return True

    found = run(dag, lambda _self: None, lambda w: w.uid, 4, watch=watch)

    assert (len(found), found[-1]) == (count, f"v{count - 1}")


def test_e3_scheduler_w6_values_go_on_and_processes_stay(
    run_fragments: Callable[[Any, int], dict[str, bytes]],
) -> None:
    """Two steps of a driver, in processes: one driver, one process, and the value of the first."""
    dag = DAG()

    class Driver:
        on_push: Any = None

        def one(self, _previous: Any, _slot: int) -> int:
            self.kept = "on the driver"
            return os.getpid()

        def two(self, previous: Any, _slot: int) -> None:
            print(previous["one"] == os.getpid(), self.kept)

    driver = Driver()
    fragments = {name: FragmentData(name, driver, name, None) for name in ("one", "two")}
    for name, before in {"one": [], "two": ["one"]}.items():
        dag.update_vertex(name, fragments[name], predecessors=before, enable_checks=False)

    assert run_fragments(dag, 1) == {"one": b"", "two": b"True on the driver\n"}


W7 = """
import subprocess, sys
from e3.collection.dag import DAG
from testloom.scheduling import MultiprocessScheduler, Worker

class W(Worker):
    def start(self):
        code = "trap '' INT TERM; sleep 99 & echo $$ $!; wait; wait"
        return subprocess.Popen(["sh", "-c", code])

dag = DAG()
for n in range(4):
    dag.update_vertex(f"v{n}", data=n, enable_checks=False)
collected = []
try:
    MultiprocessScheduler(dag, lambda u, d, s: W(u, d, "", s, None), collected.append, 2).run()
except KeyboardInterrupt:
    print("interrupted", collected, flush=True)
"""


@pytest.mark.parametrize("times", [1, 2])
def test_e3_scheduler_w7_an_interrupt_leaves_nobody(times: int) -> None:
    main = subprocess.Popen(
        [sys.executable, "-c", W7], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert main.stdout is not None
    pids = [int(pid) for _ in range(2) for pid in main.stdout.readline().split()]
    fds = [os.pidfd_open(pid) for pid in pids]
    for _ in range(times):
        os.killpg(main.pid, signal.SIGINT)
    ended: set[int] = set()
    clock = SystemClock()
    until = clock.now() + 2
    while len(ended) < len(fds) and clock.now() < until:
        ended.update(select.select([fd for fd in fds if fd not in ended], [], [], 0.5)[0])
    for fd in fds:
        os.close(fd)
    rest = main.stdout.read() if len(ended) == 4 else "somebody is left"
    main.stdout.close()
    main.kill()
    main.wait()
    tree.kill_below(os.getpid())

    assert rest == "interrupted []\n" or times == 2
