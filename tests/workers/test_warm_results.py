"""What fragments push on its way to main."""

from __future__ import annotations

import os
import sys
import threading
import types
from typing import Any

from testloom.model import records
from testloom.model.log import Log
from testloom.model.outcome import Returned
from testloom.model.result import TestResult
from testloom.model.status import TestStatus
from testloom.workers.desk import Desk
from testloom.workers.forking import forking


def test_results_that_threads_push_at_the_same_time_all_arrive(lab: Any) -> None:
    """Some lie on the tray, the large ones are sent."""

    def run(driver: Any, _previous: Any, _slot: int) -> None:
        def push(number: int) -> None:
            for n in range(60):
                log = "x" * 200_000 if n > 55 else ""
                result = TestResult(f"t{number}.{n}", status=TestStatus.PASS)
                result.log = Log(log)
                driver.on_push(types.SimpleNamespace(result=result))

        sys.setswitchinterval(1e-6)
        threads = [threading.Thread(target=push, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(0.005)

    desk = Desk(1)
    lab.add("a.run", lab.test(run=run))
    fragments = list(lab.fragments.values())
    make = forking(fragments, name=f"testloom-test-{os.getpid()}", desk=desk)
    ran = lab.run(jobs=1, desk=desk, make_nursery=make)

    assert ran["a.run"] == Returned()
    names = {records.decode(data).name for data in ran.workers["a.run"].results}
    assert len(names) == 8 * 60


def test_what_a_thread_pushes_after_the_end_is_nobody_elses(lab: Any) -> None:
    """It is still at it when the next fragment is given to its slot, until its process ends."""

    def leaves(driver: Any, _previous: Any, _slot: int) -> None:
        push = driver.on_push
        begun = threading.Event()

        def go_on() -> None:
            while True:
                push(types.SimpleNamespace(result=TestResult("a", status=TestStatus.PASS)))
                begun.set()

        sys.setswitchinterval(1e-6)
        threading.Thread(target=go_on, daemon=True).start()
        begun.wait()

    desk = Desk(1)
    lab.add("a.run", lab.test(run=leaves))
    for n in range(3):
        lab.add(f"b{n}.run", lambda *_: None)
    fragments = list(lab.fragments.values())
    make = forking(fragments, name=f"testloom-test-{os.getpid()}", desk=desk)
    ran = lab.run(jobs=1, desk=desk, make_nursery=make)

    assert {uid: worker.results for uid, worker in ran.workers.items() if uid != "a.run"} == {
        "b0.run": [],
        "b1.run": [],
        "b2.run": [],
    }


def test_what_a_fork_of_the_driver_pushes_is_not_counted(lab: Any) -> None:
    """It has the same tray and channel; both would push into the other's results."""

    def run(driver: Any, _previous: Any, _slot: int) -> None:
        pid = os.fork()
        name = "parent" if pid else "child"
        for _ in range(200):
            driver.on_push(
                types.SimpleNamespace(result=TestResult(name, status=TestStatus.PASS)),
            )
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)

    desk = Desk(1)
    lab.add("a.run", lab.test(run=run))
    make = forking(list(lab.fragments.values()), name=f"testloom-test-{os.getpid()}", desk=desk)
    ran = lab.run(jobs=1, desk=desk, make_nursery=make)

    names = [records.decode(data).name for data in ran.workers["a.run"].results]
    assert names == ["parent"] * 200
