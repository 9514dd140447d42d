"""What tests of the engine share: they run programs, and leave nothing behind."""

from __future__ import annotations

import contextlib
import gc
import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from testloom.processes import prctl, tree
from testloom.processes.loop import EventLoop
from testloom.scheduling import MultiprocessScheduler, Worker
from testloom.workers.making import WorkerSettings, make_workers

LIMIT_S = 20.0
"""How long anything may take before a test gives up on it; nothing waits that long."""


@pytest.fixture
def nothing_is_left() -> Iterator[None]:
    """No child, no zombie, no open descriptor, the old handlers."""
    prctl.become_subreaper()
    before = what_is_there()
    yield
    if what_is_there() != before:
        gc.collect()  # takes longer than most tests
    assert what_is_there() == before


@pytest.fixture
def in_time() -> Iterator[None]:
    """End what hangs: nothing takes a tenth of the limit."""

    def fail(_signum: int, _frame: object) -> NoReturn:
        raise TimeoutError(f"not done within {LIMIT_S:g} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(int(LIMIT_S))
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def what_is_there() -> tuple[object, ...]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)
    return open_fds(), tree.children(os.getpid()), [signal.getsignal(n) for n in numbers]


def open_fds() -> dict[str, str]:
    found = {}
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found[fd] = os.readlink(f"/proc/self/fd/{fd}")
    return {fd: target for fd, target in found.items() if not target.endswith("/fd")}


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python code as a program of its own."""

    def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "script.py"
        path.write_text(code)
        return subprocess.run(
            [sys.executable, path, *arguments],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    return run


@pytest.fixture
def gone() -> Callable[[int], bool]:
    """Tell whether a process, which need not be a child, ends soon."""

    def wait(pid: int) -> bool:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            return True
        try:
            return bool(select.select([fd], [], [], LIMIT_S)[0])
        finally:
            os.close(fd)

    return wait


@pytest.fixture(scope="module")  # a child that stays would be ended by tests of the engine
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database in a PostgreSQL server that was started for these tests."""
    pytest.importorskip("psycopg")
    newest = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    server = shutil.which("postgres") or (str(newest[-1]) if newest else None)
    if server is None or shutil.which("setpriv") is None:
        pytest.skip("there is no PostgreSQL server here")
    server = os.path.realpath(server)
    initdb = os.path.join(os.path.dirname(server), "initdb")
    owner: list[str] = []
    with tempfile.TemporaryDirectory(prefix="testloom-pg-", ignore_cleanup_errors=True) as place:
        if os.geteuid() == 0:  # the server refuses to run as root
            try:
                user = pwd.getpwnam("postgres")
            except KeyError:
                pytest.skip("there is no user who could run a PostgreSQL server")
            os.chown(place, user.pw_uid, user.pw_gid)
            owner = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        # Should these tests be killed, the server ends, too.
        as_owner = ["setpriv", *owner, "--pdeathsig=KILL"]
        data = f"{place}/data"
        made = subprocess.run(
            [*as_owner, initdb, "-N", "-A", "trust", "-U", "testloom", "-E", "UTF8", data],
            capture_output=True,
            text=True,
            cwd=place,
            timeout=LIMIT_S * 3,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        settings = {"listen_addresses": "", "fsync": "off", "unix_socket_directories": place}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [*as_owner, server, "-D", data, *options]
        with subprocess.Popen(command, stderr=subprocess.PIPE, cwd=place, text=True) as process:
            try:
                assert process.stderr is not None
                told = []
                for line in process.stderr:  # ends when the server does
                    told.append(line)
                    if "ready to accept connections" in line:
                        break
                assert process.poll() is None, "".join(told)
                yield f"postgresql://testloom@/postgres?host={place}"
            finally:
                process.send_signal(signal.SIGQUIT)  # at once: nothing of it is needed any more
                process.communicate(timeout=LIMIT_S)


@pytest.fixture
def run_fragments() -> Callable[[Any, int], dict[str, bytes]]:
    """Run the fragments of a graph in warm workers; return what each of them wrote."""

    def run(dag: Any, jobs: int) -> dict[str, bytes]:
        loop = EventLoop()
        outputs: dict[str, bytes] = {}

        def start(uid: str, data: Any, slot: int) -> Worker:
            return workers.worker(uid, data, slot)

        def collect(worker: Any) -> None:
            outputs[worker.uid] = worker.output

        scheduler = MultiprocessScheduler(dag, start, collect, jobs, loop=loop)
        workers = make_workers(
            WorkerSettings(name=f"testloom-test-{os.getpid()}"),
            fragments=dag.vertex_data,
            predecessors=dict(dag.vertex_predecessors_items()),
            loop=loop,
            env=None,
            continues=scheduler.continues,
            note=print,
        )
        try:
            scheduler.run()
        finally:
            workers.close()
            loop.close()
        return outputs

    return run


@pytest.fixture
def interrupt() -> Callable[..., str]:
    """Run code as a program, and Ctrl-C in its terminal once so many processes have said who they are.

    Returns what it writes then.  It has to end well, and nobody may be left.
    """

    def run(code: str, *arguments: str, running: int) -> str:
        main = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert main.stdout is not None
        with main:
            pids = {int(main.stdout.readline()) for _ in range(running)}
            fds = [os.pidfd_open(pid) for pid in pids]
            os.killpg(main.pid, signal.SIGINT)
            rest = main.stdout.read()
            assert main.wait(LIMIT_S) == 0
            assert all(select.select([fd], [], [], LIMIT_S)[0] for fd in fds)
            for fd in fds:
                os.close(fd)
        assert tree.children(os.getpid()) == []
        return rest

    return run
