"""A nursery that is started rather than forked, and the programs in its slots."""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from testloom.processes import job, own_fds, tree
from testloom.processes.nursery import News, NurseryGone
from testloom.processes.nursery_apart import NurseryApart

LIMIT_S = 20.0


@pytest.fixture
def nursery() -> Iterator[NurseryApart]:
    nursery = NurseryApart(name=f"testloom-test-{os.getpid()}")
    yield nursery
    nursery.close()


def start(nursery: NurseryApart, slot: int, *argv: str, **options: Any) -> socket.socket:
    """Start a program; return our end of its channel."""
    ours, theirs = socket.socketpair()
    options = {"cwd": b"/", "env": dict(os.environb)} | options
    job.send(job.Job(argv=list(map(os.fsencode, argv)), **options), ours)
    null = os.open(os.devnull, os.O_WRONLY)
    with theirs:
        nursery.start(slot, theirs, null)
    os.close(null)
    return ours


def news(nursery: NurseryApart) -> News:
    assert select.select([nursery], [], [], LIMIT_S)[0], "no news"
    return nursery.news()


def ended(nursery: NurseryApart) -> int:
    while (told := news(nursery)).what != "ended":
        assert told.what == "started"
    return told.code


def run(nursery: NurseryApart, *argv: str, **options: Any) -> tuple[int, str]:
    """Run a program; return how it ended and why it could not be run."""
    with start(nursery, 0, *argv, **options) as channel:
        return ended(nursery), job.complaint(channel)


def test_programs_run_although_this_process_has_threads(nursery: NurseryApart) -> None:
    leave = threading.Event()
    thread = threading.Thread(target=leave.wait)
    thread.start()
    try:
        assert run(nursery, "sh", "-c", "exit 7") == (7, "")
        assert run(nursery, "sh", "-c", "kill -9 $$") == (-9, "")
    finally:
        leave.set()
        thread.join()


def test_a_program_gets_what_its_job_says(nursery: NurseryApart, tmp_path: Path) -> None:
    code = 'pwd; echo "$WORD"; env | wc -l; cat; ulimit -v; echo oops >&2'
    options = {
        "cwd": os.fsencode(tmp_path),
        "env": {b"WORD": b"caf\xe9 \xff", b"PATH": os.environb[b"PATH"], b"PWD": b"x"},
        "stdout": os.fsencode(tmp_path / "logs" / "out"),
        "stderr": os.fsencode(tmp_path / "logs" / "err"),
        "memory_bytes": 1 << 30,
    }
    assert run(nursery, "sh", "-c", code, **options) == (0, "")

    lines = (tmp_path / "logs" / "out").read_bytes().splitlines()
    assert lines == [os.fsencode(tmp_path), b"caf\xe9 \xff", b"3", b"1048576"]
    assert (tmp_path / "logs" / "err").read_text() == "oops\n"


def test_both_streams_may_go_to_one_file_in_their_order(
    nursery: NurseryApart, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.write_text("of an earlier run, longer than what comes")
    both = {"stdout": os.fsencode(log), "stderr": os.fsencode(log)}
    assert run(nursery, "sh", "-c", "echo 1; echo 2 >&2; echo 3", **both) == (0, "")
    assert log.read_text() == "1\n2\n3\n"


def test_a_program_inherits_three_descriptors_and_default_signals(
    nursery: NurseryApart, tmp_path: Path
) -> None:
    code = (
        "import os, signal; print(sorted(map(int, os.listdir('/proc/self/fd')))[:-1], "
        "open('/proc/self/status').read().split('SigIgn:')[1].split()[0])"
    )
    out = tmp_path / "out"
    python = (sys.executable, "-I", "-S", "-c", code)
    assert run(nursery, *python, stdout=os.fsencode(out)) == (0, "")
    # Python itself ignores SIGPIPE and SIGXFSZ.
    assert out.read_text() == "[0, 1, 2] 0000000001001000\n"

    script = "grep SigIgn /proc/self/status"
    assert run(nursery, "sh", "-c", script, stdout=os.fsencode(out)) == (0, "")
    assert out.read_text() == "SigIgn:\t0000000000000000\n"


@pytest.mark.parametrize(
    ("argv", "options", "why"),
    [
        (("nonesuch",), {}, "nonesuch: No such file or directory"),
        (("/etc/passwd",), {}, "/etc/passwd: Permission denied"),
        ((), {}, "no program is named"),
        (("true",), {"cwd": b"/nonesuch"}, "/nonesuch: No such file or directory"),
        (("true",), {"stdout": b"/dev/null/x"}, "/dev/null: File exists"),
        (("true",), {"stderr": b"/"}, "/: Is a directory"),
    ],
)
def test_what_cannot_be_run_says_why(
    nursery: NurseryApart, argv: tuple[str, ...], options: dict[str, Any], why: str
) -> None:
    assert run(nursery, *argv, **options) == (job.CANNOT_START, why)


def test_what_no_program_can_be_told_says_so_too(nursery: NurseryApart) -> None:
    code, why = run(nursery, "tr\0ue")
    assert code == job.CANNOT_START
    assert why.startswith("ValueError: ")  # the text is Python's


def test_asked_to_end_a_program_is_told_with_all_below_it(
    nursery: NurseryApart, tmp_path: Path
) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    fifo = os.open(path, os.O_RDWR)
    child = f"trap 'echo child >{path}; exit' TERM; echo here >{path}; while :; do sleep 9; done"
    code = f"trap 'wait; exit 5' TERM; ({child}) & while :; do wait; done"
    with start(nursery, 3, "sh", "-c", code):
        assert os.read(fifo, 100) == b"here\n"
        nursery.terminate(3)
        assert ended(nursery) == 5
        assert select.select([fifo], [], [], LIMIT_S)[0]
        assert os.read(fifo, 100) == b"child\n"
    os.close(fifo)


def test_a_program_that_is_killed_takes_its_daemons_with_it(
    nursery: NurseryApart, tmp_path: Path
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    code = (
        f"trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$ >{fifo}; sleep 99; :' & sleep 99; :"
    )
    with start(nursery, 0, "sh", "-c", code):
        daemon = int(fifo.read_text())
        nursery.kill(0)
        assert ended(nursery) == -signal.SIGKILL
        assert tree.is_zombie(daemon)


def test_what_this_process_has_started_itself_is_left_alone(tmp_path: Path) -> None:
    """Also when the nursery dies without cleaning up."""
    nursery = NurseryApart(name=f"testloom-test-{os.getpid()}")
    own = subprocess.Popen(["sleep", "99"], start_new_session=True)
    try:
        assert run(nursery, "true") == (0, "")
        os.kill(nursery.pid, signal.SIGKILL)
        with pytest.raises(NurseryGone):
            news(nursery)
        nursery.close()
        assert own.poll() is None
    finally:
        own.kill()
        own.wait()


def test_the_leaders_die_with_a_nursery_that_is_killed(nursery: NurseryApart) -> None:
    with start(nursery, 0, "sleep", "99"):
        started = news(nursery)
        os.kill(nursery.pid, signal.SIGKILL)
        assert tree.wait_gone([started.pid], 2)
        with pytest.raises(NurseryGone):
            news(nursery)
    tree.kill_below(os.getpid(), {nursery.pid})  # we are a subreaper


KILLED = """
import os, signal, sys
sys.path[:0] = {path!r}
from test_nursery_apart import *
nursery = NurseryApart(name="testloom-test-" + str(os.getpid()))
start(nursery, 0, "sh", "-c", "trap '' TERM HUP INT; sleep 99; :")
print(news(nursery).pid, nursery.pid, flush=True)
signal.pause()
"""


@pytest.mark.slow
def test_when_this_process_is_killed_so_is_everything(gone: Callable[[int], bool]) -> None:
    code = KILLED.format(path=[str(Path(__file__).parent)])
    main = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert main.stdout is not None
    pids = [int(pid) for pid in main.stdout.readline().split()]
    assert len(pids) == 2
    main.kill()
    assert all(gone(pid) for pid in pids)
    main.wait()
    main.stdout.close()
    tree.kill_below(os.getpid())


def test_that_it_cannot_be_started_is_an_error_that_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "/nonesuch/python")
    known = set(own_fds._own)
    with pytest.raises(FileNotFoundError):
        NurseryApart(name=f"testloom-test-{os.getpid()}")
    assert own_fds._own == known


def test_a_limit_of_memory_is_at_most_the_one_there_is(
    nursery: NurseryApart, tmp_path: Path
) -> None:
    resource.prlimit(nursery.pid, resource.RLIMIT_AS, (2 << 30, 2 << 30))
    out = os.fsencode(tmp_path / "out")
    assert run(nursery, "sh", "-c", "ulimit -v", stdout=out, memory_bytes=4 << 30) == (0, "")
    assert (tmp_path / "out").read_text() == f"{2 << 20}\n"


def test_limits_of_this_process_stay_its_own(nursery: NurseryApart) -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    assert run(nursery, "true", memory_bytes=1 << 30) == (0, "")
    assert resource.getrlimit(resource.RLIMIT_AS) == before
