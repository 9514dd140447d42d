"""What one fragment does to its process, the next one does not see."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from testloom.model.outcome import Returned
from testloom.processes.spare import SPARE, sweep


def probe(*_: Any) -> None:
    """Print whatever a test could have changed in this process."""
    mask = os.umask(0)
    os.umask(mask)
    files = []
    for fd in sorted(os.listdir("/proc/self/fd"), key=int):
        with contextlib.suppress(OSError):
            files.append(f"{fd}={os.readlink(f'/proc/self/fd/{fd}').partition(':')[0]}")
    signals = [signal.getsignal(n) for n in (2, 10, 13, 14, 17)]
    print(os.getcwd(), mask, sorted(os.environ), sys.path, files, signals)
    print(signal.pthread_sigmask(signal.SIG_BLOCK, ()), signal.getitimer(signal.ITIMER_REAL))
    print(sys.getrecursionlimit(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    print(threading.active_count(), os.path.exists(f"/proc/self/task/{os.getpid()}/children"))
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        print("children:", file.read())
    subprocess.run(["sh", "-c", "ls -l /proc/self/fd | wc -l"], check=True)


def pollute(*_: Any) -> None:
    os.chdir("/")
    os.umask(0)
    os.environ["LEAKED"] = "1"
    del os.environ["PATH"]
    sys.path.insert(0, "/leaked")
    sys.setrecursionlimit(10**9)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1])
    signal.alarm(1)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    subprocess.Popen(["/bin/sleep", "99"]).returncode = 0
    sys.stdout = None


def leak(self: Any, *_: Any) -> None:
    self.fds = os.pipe()
    os.dup2(os.memfd_create("x"), 2)
    threading.Thread(target=signal.pause, daemon=True).start()


def terminate_a_fork(*_: Any) -> None:
    process = multiprocessing.get_context("fork").Process(target=signal.pause)
    process.start()
    process.terminate()
    process.join(20)
    print("exit code:", process.exitcode)


def test_what_a_fragment_has_forked_dies_of_sigterm(lab: Any) -> None:
    """However early it comes; the handler of its worker is for the worker alone."""
    for number in range(5):
        lab.add(f"{number}.run", terminate_a_fork)
    ran = lab.run(jobs=1)

    for number in range(5):
        assert ran.output(f"{number}.run") == "exit code: -15\n"


def test_the_next_fragment_finds_everything_as_it_was(lab: Any) -> None:
    lab.add("a.run", probe)
    lab.add("b.run", pollute)
    lab.add("c.run", probe)
    lab.add("d.run", leak)
    lab.add("e.run", probe)
    ran = lab.run(jobs=1)

    assert ran.output("c.run") == ran.output("a.run")
    assert ran.output("e.run") == ran.output("a.run")
    assert "children: \n" in ran.output("a.run")


def test_what_had_changed_is_said_of_who_changed_it(lab: Any) -> None:
    lab.add("a.run", pollute)
    lab.add("b.run", lambda *_: None)
    lab.add("c.run", leak)
    lab.add("d.run", lambda *_: None)
    ran = lab.run(jobs=1)

    def leaks(uid: str) -> list[str]:
        end = ran[uid]
        assert isinstance(end, Returned)
        return [leak.partition(":")[0] for leak in end.leaks]

    assert leaks("a.run") == [
        "processes",
        "timer",
        "handler of SIGINT",
        "handler of SIGCHLD",
        "blocked signals",
        "directory",
        "umask=000",
        "environment",
        "sys.path",
        "streams",
        "recursion limit",
        "limit of open files",
    ]
    assert leaks("c.run") == ["threads=1", "descriptors=3", "standard streams"]
    assert leaks("b.run") == leaks("d.run") == []


def test_a_process_that_can_be_restored_is_used_again_and_others_are_not(lab: Any) -> None:
    def where(*_: Any) -> None:
        print(os.getpid())

    for uid, what in [("a", where), ("b", pollute), ("c", where), ("d", leak), ("e", where)]:
        lab.add(f"{uid}.run", what)
    ran = lab.run(jobs=1)

    assert ran.output("a.run") == ran.output("c.run") != ran.output("e.run")
    assert ran.notes == []


def test_threads_left_running_delay_nothing(lab: Any) -> None:
    def leave(*_: Any) -> None:
        import atexit

        atexit.register(time.sleep, 3600)
        threading.Thread(target=time.sleep, args=(3600,)).start()

    lab.add("a.run", leave)
    lab.add("b.run", lambda *_: None)
    ran = lab.run(jobs=1)

    assert (ran["a.run"], ran["b.run"]) == (Returned(leaks=("threads=1",)), Returned())


def test_closed_standard_streams_are_nobody_elses_problem(lab: Any) -> None:
    def close(*_: Any) -> None:
        print("before")
        os.close(1)
        os.close(2)

    lab.add("a.run", close)
    lab.add("b.run", lambda *_: print("after"))
    ran = lab.run(jobs=1)

    assert (ran.output("a.run"), ran.output("b.run")) == ("before\n", "after\n")
    assert ran["a.run"] == Returned(leaks=("descriptors=-2", "standard streams"))


def test_along_a_chain_a_test_keeps_what_it_has_made(lab: Any) -> None:
    def make(self: Any, *_: Any) -> None:
        os.environ["KEPT"] = "x"
        self.server = subprocess.Popen(["sleep", "99"])

    def use(self: Any, *_: Any) -> None:
        print(os.environ["KEPT"], self.server.poll())

    driver = lab.test(make=make, use=use)
    lab.add("a.make", driver)
    lab.add("a.use", driver, after="a.make")
    lab.add("b.run", lambda *_: print(os.environ.get("KEPT")))
    ran = lab.run(jobs=1)
    end = ran["a.use"]

    assert (ran["a.make"], ran.output("a.use"), ran.output("b.run")) == (
        Returned(),
        "x None\n",
        "None\n",
    )
    assert isinstance(end, Returned)
    assert [leak.partition(":")[0] for leak in end.leaks] == ["processes", "environment"]


def test_programs_of_a_test_do_not_get_the_channel(lab: Any) -> None:
    """Not even those that are started without closing anything."""

    def look(*_: Any) -> None:
        sys.stdout.flush()
        os.system("ls -l /proc/self/fd | grep -c socket:")

    lab.add("a.run", look)
    before = [fd for fd in os.listdir("/proc/self/fd") if int(fd) > 2 and is_inheritable(int(fd))]
    if any("socket:" in os.readlink(f"/proc/self/fd/{fd}") for fd in before):
        pytest.skip("this process hands down sockets itself")

    assert lab.run().output("a.run") == "0\n"


def is_inheritable(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)
    except OSError:
        return False


def test_no_worker_has_the_channel_or_the_pipe_of_another(lab: Any) -> None:
    def look(*_: Any) -> None:
        targets = (os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd"))
        print(*sorted({t.rpartition("/")[2] for t in targets if "socket:" in t or "pipe:" in t}))

    known = {
        os.path.realpath(f"/proc/self/fd/{fd}").rpartition("/")[2]
        for fd in os.listdir("/proc/self/fd")
    }
    for n in range(3):
        lab.add(f"a{n}.run", look)
    ran = lab.run(jobs=3)
    seen = [set(ran.output(f"a{n}.run").split()) - known for n in range(3)]

    assert [len(files) for files in seen] == [2, 2, 2]


@pytest.mark.slow
def test_nobody_grows_with_the_number_of_fragments(script: Any) -> None:
    code = """
import gc, os, sys
from e3.collection.dag import DAG
from testloom.model.fragment import FragmentData
from testloom.processes.loop import EventLoop
from testloom.scheduling import MultiprocessScheduler
from testloom.workers.forking import forking
from testloom.workers.warm import WarmPool

class D:
    on_push = None
    def run(self, previous, slot):
        self.result = "x" * 1000
        return 1

def rss(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * 4

dag, fragments = DAG(), {}
for n in range(12_000):
    fragments[f"u{n}"] = FragmentData(f"u{n}", D(), "run", None)
    before = [f"u{n - 1}"] if n % 2 else []
    dag.update_vertex(f"u{n}", data=fragments[f"u{n}"], predecessors=before, enable_checks=False)
loop, seen, done = EventLoop(), [], [0]

def collect(worker):
    done[0] += 1
    if done[0] in (4_000, 12_000):
        gc.collect()
        seen.append([rss(pid) for pid in (os.getpid(), pool.nursery.pid, *pool.pids)])
        fds.append(len(os.listdir("/proc/self/fd")))

fds = []
scheduler = MultiprocessScheduler(dag, lambda u, d, s: pool.worker(u, d, s), collect, jobs=2, loop=loop)
pool = WarmPool(fragments=fragments, predecessors=dict(dag.vertex_predecessors_items()), loop=loop, env=None,
    make_nursery=forking(list(fragments.values()), name=f"testloom-test-{os.getpid()}"), continues=scheduler.continues)
scheduler.run()
pool.close()
print(*[after - before for before, after in zip(*seen)], fds[1] - fds[0])
"""
    ran = script(code)
    assert ran.stderr == ""
    main, nursery, *workers, fds = map(int, ran.stdout.split())

    # Pages of the fragments that workers inherit are copied when they are first touched.
    assert (main < 2_000, nursery < 500, fds) == (True, True, 0)
    assert max(workers) < 8_000


# -- the directory that is used again --------------------------------------------------------------


def is_used_again(lab: Any, tmp_path: Path, then: Callable[[Path], object]) -> bool:
    """Tell whether the directory of a test that did *then* is there for the next test."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "input").write_text("x")

    def first(*_: Any) -> None:
        SPARE.copy_tree(str(source), str(tmp_path / "work"))
        then(tmp_path / "work")
        SPARE.remove_tree(str(tmp_path / "work"))

    lab.add("a.run", first)
    lab.add("b.run", lambda *_: print(sorted(os.listdir(tmp_path))))
    ran = lab.run(jobs=1)
    sweep(str(tmp_path))  # the end of a run does not wait for its workers to tidy up
    assert os.listdir(tmp_path) == ["source"]
    return "spare" in ran.output("b.run")


def test_the_directory_of_a_test_is_there_for_the_next_one(lab: Any, tmp_path: Path) -> None:
    assert is_used_again(lab, tmp_path, lambda _: None)


def test_the_directory_of_a_test_that_left_something_behind_is_not(
    lab: Any, tmp_path: Path
) -> None:
    held: list[Any] = []

    assert not is_used_again(lab, tmp_path, lambda d: held.append((d / "input").open("a")))
