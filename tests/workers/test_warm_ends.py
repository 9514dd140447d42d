"""Every way in which a fragment can end, beside others that are well."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import pytest

from testloom.model import records
from testloom.model.errors import FragmentLost, TestAbort, TestSkip
from testloom.model.outcome import Exited, FragmentEnd, Killed, Returned, WorkerDied
from testloom.model.result import TestResult
from testloom.model.status import TestStatus
from testloom.processes.channel import frame
from testloom.workers import messages
from testloom.workers.messages import Report


def ends_by(number: int) -> Callable[..., None]:
    return lambda *_: os.kill(os.getpid(), number)


def raises(error: BaseException) -> Callable[..., None]:
    def fragment(*_: Any) -> None:
        raise error

    return fragment


def beside_the_healthy(lab: Any, fragment: Callable[..., Any]) -> FragmentEnd:
    """Run *fragment* beside twenty that are well; return its end."""
    for n in range(10):
        lab.add(f"before{n}.run", lambda *_: None)
    lab.add("it.run", fragment)
    lab.add("next.run", lambda _self, previous, _slot: None, after="it.run")
    for n in range(10):
        lab.add(f"after{n}.run", lambda *_: None)
    ran = lab.run(jobs=3)
    ends = {uid: worker.end for uid, worker in ran.workers.items()}
    end: FragmentEnd = ends.pop("it.run")

    assert len(ends) == 21
    assert set(ends.values()) == {Returned()}
    return end


@pytest.mark.parametrize(
    ("fragment", "end"),
    [
        (lambda *_: os._exit(0), WorkerDied(Exited(0))),
        (lambda *_: os._exit(3), WorkerDied(Exited(3))),
        (lambda *_: os._exit(137), WorkerDied(Exited(137))),
        (lambda *_: ctypes.string_at(0), WorkerDied(Killed(signal.SIGSEGV))),
        (ends_by(signal.SIGKILL), WorkerDied(Killed(signal.SIGKILL))),
        (ends_by(signal.SIGABRT), WorkerDied(Killed(signal.SIGABRT))),
        (ends_by(signal.SIGXCPU), WorkerDied(Killed(signal.SIGXCPU))),
        (ends_by(signal.SIGINT), WorkerDied(Killed(signal.SIGINT))),
        (lambda *_: os.killpg(0, signal.SIGKILL), WorkerDied(Killed(signal.SIGKILL))),
        (lambda *_: None, Returned()),
    ],
)
def test_a_worker_that_dies_takes_one_fragment_along(
    lab: Any, fragment: Callable[..., Any], end: FragmentEnd
) -> None:
    assert beside_the_healthy(lab, fragment) == end


@pytest.mark.parametrize(
    "error",
    [ValueError("x"), SystemExit(0), KeyboardInterrupt(), GeneratorExit(), BaseException("x")],
    ids=lambda error: type(error).__name__,
)
def test_whatever_is_raised_becomes_a_traceback(lab: Any, error: BaseException) -> None:
    end = beside_the_healthy(lab, raises(error))

    assert isinstance(end, Returned)
    assert end == Returned(raised=end.raised)
    assert end.raised.startswith("Traceback (most recent call last):\n")
    assert end.raised.splitlines()[-1].startswith(type(error).__name__)
    assert "in fragment" in end.raised
    assert "running.py" not in end.raised


def test_a_traceback_with_the_name_of_a_file_that_is_no_text_is_sent(lab: Any) -> None:
    end = beside_the_healthy(lab, raises(ValueError("no test: caf\udce9")))

    assert isinstance(end, Returned)
    assert end.raised.splitlines()[-1] == r"ValueError: no test: caf\xe9"


def forks(in_child: Callable[[], Any]) -> Callable[..., str]:
    """Return a fragment that forks, and whose child falls through to what called it."""

    def fragment(_driver: Any, _previous: Any, _slot: int) -> Any:
        pid = os.fork()
        if pid == 0:
            return in_child()
        _pid, status = os.waitpid(pid, 0)
        print("child:", os.waitstatus_to_exitcode(status))
        return "parent"

    return fragment


@pytest.mark.parametrize(
    ("in_child", "said"),
    [
        (lambda: "child", "child: 0\n"),
        (lambda: sys.exit(7), "child: 7\n"),
        (sys.exit, "child: 0\n"),
        (lambda: 1 / 0, "ZeroDivisionError: division by zero\nchild: 1\n"),
    ],
)
def test_a_fork_that_comes_back_ends_and_its_parent_answers(
    lab: Any, in_child: Callable[[], Any], said: str
) -> None:
    lab.add("a.run", lab.test(run=forks(in_child)))
    lab.add("b.run", lambda _s, previous, _n: print(previous), after="a.run")
    lab.add("c.run", lambda *_: None, after="b.run")
    ran = lab.run(jobs=1)

    assert (ran["a.run"], ran["b.run"], ran["c.run"]) == (Returned(), Returned(), Returned())
    assert ran.output("a.run").endswith(said)
    assert ran.output("b.run") == "{'a.run': 'parent'}\n"


def test_why_a_value_cannot_be_sent_may_be_no_text(lab: Any) -> None:
    class Odd:
        def __reduce__(self) -> str:
            raise ValueError("caf\udce9")

    lab.add("a.run", lambda *_: Odd())
    lab.add("b.run", lambda *_: None, after="a.run")
    assert lab.run()["a.run"] == Returned(unpicklable=r"Odd: caf\xe9")


@pytest.mark.parametrize("error", [TestAbort(), TestSkip("not here")])
def test_an_abort_is_an_end_without_a_value(lab: Any, error: TestAbort) -> None:
    seen = lab.add("a.first", lab.test(first=raises(error), second=lambda _s, p, _n: print(p)))
    lab.add("a.second", seen, after="a.first")
    ran = lab.run()

    assert (ran["a.first"], ran["a.second"]) == (Returned(aborted=True), Returned())
    assert ran.output("a.second") == "{'first': None}\n"


def test_a_crash_leaves_the_stack_in_the_output(lab: Any) -> None:
    def crash(*_: Any) -> None:
        print("before", flush=True)
        ctypes.string_at(0)

    lab.add("a.run", crash)
    output = lab.run().output("a.run")

    assert output.startswith("before\nFatal Python error: Segmentation fault\n")
    assert "in crash" in output


def test_what_was_pushed_before_a_crash_is_kept(lab: Any) -> None:
    class Item:
        result = TestResult("a", status=TestStatus.FAIL)

    def push_and_die(self: Any, *_: Any) -> None:
        self.on_push(Item)
        os._exit(1)

    lab.add("a.run", push_and_die)
    worker = lab.run().workers["a.run"]

    assert worker.end == WorkerDied(Exited(1))
    assert [records.decode(data).status for data in worker.results] == ["FAIL"]


def test_who_closes_all_descriptors_harms_only_itself(lab: Any) -> None:
    end = beside_the_healthy(lab, lambda *_: os.closerange(0, 4096))

    assert isinstance(end, WorkerDied)


def test_who_goes_on_without_its_channel_is_killed_and_told_why(lab: Any) -> None:
    def close_and_stay(*_: Any) -> None:
        os.closerange(3, 4096)
        signal.pause()

    lab.add("a.run", close_and_stay)

    assert lab.run()["a.run"] == WorkerDied(
        Killed(signal.SIGKILL), "it closed its channel to the runner"
    )


def test_who_writes_to_the_channel_is_killed_and_told_why(lab: Any) -> None:
    """Forged frames cannot follow: nothing is believed after the first that is none."""

    def forge(*_: Any) -> None:
        channel = max(fd for fd in map(int, os.listdir("/proc/self/fd")) if is_socket(fd))
        os.write(channel, b"PASS a.run\n" * 10)
        signal.pause()

    lab.add("a.run", forge)
    end = lab.run()["a.run"]

    assert isinstance(end, WorkerDied)
    assert end.end == Killed(signal.SIGKILL)
    assert end.note.startswith("something else wrote to its channel to the runner: not a frame")


def test_the_report_of_another_order_does_not_count(lab: Any) -> None:
    def forge(*_: Any) -> None:
        channel = max(fd for fd in map(int, os.listdir("/proc/self/fd")) if is_socket(fd))
        os.write(channel, frame(messages.REPORT, messages.encode(Report(attempt=99))))
        raise ValueError("the truth")

    lab.add("a.run", forge)
    end = lab.run()["a.run"]

    assert isinstance(end, Returned)
    assert end.raised.endswith("ValueError: the truth\n")


def is_socket(fd: int) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
    except OSError:
        return False


def test_frames_on_the_standard_output_are_output(lab: Any) -> None:
    from testloom.processes.channel import frame

    def forge(*_: Any) -> None:
        os.write(1, frame(4, b"\x91\x01"))
        os.write(1, b"PASS\n")

    lab.add("a.run", forge)
    worker = lab.run().workers["a.run"]

    assert (worker.end, worker.output.endswith(b"PASS\n")) == (Returned(), True)


def test_what_is_printed_belongs_to_who_printed_it(lab: Any) -> None:
    def say(self: Any, _previous: Any, _slot: int) -> None:
        print("out", self.n)
        print("err", self.n, file=sys.stderr)
        os.write(1, b"raw\n")

    for n in range(50):
        lab.add(f"t{n}.run", say, n=n)
    ran = lab.run(jobs=3)

    assert {ran.output(f"t{n}.run") for n in range(50)} == {
        f"out {n}\nerr {n}\nraw\n" for n in range(50)
    }


def test_much_output_is_cut_in_the_middle(lab: Any) -> None:
    def flood(*_: Any) -> None:
        for _n in range(100):
            os.write(1, b"x" * 65536)

    lab.add("a.run", flood)
    output = lab.run().workers["a.run"].output

    assert output == b"x" * (1 << 20) + b"\n... 4456448 bytes dropped ...\n" + b"x" * (1 << 20)


def test_standard_input_is_at_its_end(lab: Any) -> None:
    lab.add("a.run", lambda *_: print(repr(sys.stdin.read())))

    assert lab.run().output("a.run") == "''\n"


class Spiteful(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__

    def __init__(self, one: int, two: int) -> None:
        super().__init__()


def test_an_exception_that_cannot_be_shown_or_sent_harms_nobody(lab: Any) -> None:
    lab.add("a.run", raises(Spiteful(1, 2)))
    lab.add("b.run", lambda _s, previous, _n: print(previous), after="a.run")
    ran = lab.run()
    end = ran["a.run"]

    assert isinstance(end, Returned)
    assert "Spiteful" in end.raised
    assert ran.output("b.run") == "{'a.run': RuntimeError('Spiteful: (it cannot be shown)')}\n"


def test_a_traceback_is_not_longer_than_anybody_reads(lab: Any) -> None:
    def deep(n: int) -> None:
        if n == 0:
            raise ValueError("x" * 1_000_000)
        deep(n - 1)

    lab.add("a.run", lambda *_: deep(900))
    end = lab.run()["a.run"]

    assert isinstance(end, Returned)
    assert 10_000 < len(end.raised) < 70_000


def test_who_follows_the_dead_is_told_how_they_died(lab: Any) -> None:
    lab.add("a.run", lambda *_: os._exit(3))
    lab.add("b.run", lambda *_: os.kill(os.getpid(), signal.SIGSEGV))
    lab.add("c.run", lambda *_: 5)
    lab.add("d.run", lambda _s, previous, _n: print(*previous.items()), after="a.run b.run c.run")
    lost = (
        FragmentLost("a.run: its worker exited with status 3"),
        FragmentLost("b.run: its worker was killed by SIGSEGV"),
    )

    assert lab.run().output("d.run") == (
        f"('a.run', {lost[0]!r}) ('b.run', {lost[1]!r}) ('c.run', 5)\n"
    )
