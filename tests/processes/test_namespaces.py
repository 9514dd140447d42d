from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator

import pytest

from testloom.processes import namespaces, own_fds, tree
from testloom.processes.namespaces import Cell, why_not
from testloom.processes.nursery import ChildMain, News, Nursery

LIMIT_S = 20.0
Started = tuple[Nursery, socket.socket, int]


@pytest.fixture
def isolated() -> Iterator[Callable[[ChildMain], Started]]:
    """Start a worker in a namespace; return its nursery, the channel to it, and its number outside."""
    if why_not():
        pytest.skip(f"no namespaces can be made here: {why_not()}")
    nurseries: list[Nursery] = []
    fds: list[int] = []
    channels: list[socket.socket] = []

    def start(child_main: ChildMain) -> Started:
        nursery = Nursery(child_main, name=f"testloom-test-{os.getpid()}", isolated=True)
        nurseries.append(nursery)
        ours, theirs = socket.socketpair()
        ours.settimeout(LIMIT_S)
        own_fds.add(ours.fileno())
        channels.append(ours)
        reader, writer = os.pipe()
        fds.append(own_fds.add(reader))
        nursery.start(0, theirs, writer)
        theirs.close()
        os.close(writer)
        return nursery, ours, news(nursery).pid

    yield start
    for channel in channels:
        own_fds.discard(channel.fileno())
        channel.close()
    for fd in fds:
        own_fds.close(fd)
    for nursery in nurseries:
        nursery.close()


def news(nursery: Nursery) -> News:
    assert select.select([nursery], [], [], LIMIT_S)[0]
    return nursery.news()


def test_a_worker_sees_only_its_own_processes(
    isolated: Callable[[ChildMain], Started],
) -> None:
    def looks(_slot: int, channel: socket.socket) -> None:
        seen = sorted(name for name in os.listdir("/proc") if name.isdecimal())
        channel.send(" ".join(seen).encode())

    _nursery, channel, pid = isolated(looks)
    assert channel.recv(100) == b"1 2"
    assert pid > 2


def test_it_can_kill_everything_without_harm_to_others(
    isolated: Callable[[ChildMain], Started],
) -> None:
    def kills(_slot: int, channel: socket.socket) -> None:
        child = subprocess.Popen(["sleep", "99"])
        os.kill(-1, signal.SIGKILL)
        channel.send(str(child.wait()).encode())

    nursery, channel, _pid = isolated(kills)
    assert channel.recv(100) == b"-9"
    assert (news(nursery).code, tree.is_zombie(nursery.pid)) == (0, False)


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        (lambda: os._exit(3), 3),
        (os.abort, -signal.SIGABRT),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), -signal.SIGKILL),
    ],
)
def test_every_end_is_told_as_without(
    isolated: Callable[[ChildMain], Started], ends: Callable[[], object], code: int
) -> None:
    def child_main(_slot: int, _channel: socket.socket) -> None:
        ends()

    nursery, _channel, pid = isolated(child_main)
    told = news(nursery)
    assert (told.what, told.pid, told.code) == ("ended", pid, code)


def test_killing_it_kills_all_in_its_namespace(
    isolated: Callable[[ChildMain], Started], gone: Callable[[int], bool]
) -> None:
    def starts(_slot: int, channel: socket.socket) -> None:
        subprocess.Popen(["setsid", "sleep", "99"])
        channel.send(b"started")
        signal.pause()

    nursery, channel, pid = isolated(starts)
    channel.recv(100)
    below = tree.descendants(pid)
    nursery.kill(0)
    assert news(nursery).code == -signal.SIGKILL
    assert len(below) == 2
    assert all(map(gone, below))


def test_it_can_be_asked_to_end(isolated: Callable[[ChildMain], Started]) -> None:
    def waits(_slot: int, channel: socket.socket) -> None:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
        channel.send(b"ready")
        while True:
            signal.pause()

    nursery, channel, _pid = isolated(waits)
    channel.recv(100)
    nursery.end(0)
    assert news(nursery).code in (7, -(signal.SIGRTMIN + 1))


def test_it_is_said_where_no_namespace_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_name: str, *_arguments: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    why_not.cache_clear()
    monkeypatch.setattr(namespaces, "_call", refused)
    assert why_not() == "operation not permitted"
    why_not.cache_clear()
    with pytest.raises(PermissionError), Cell().for_next_child():
        pass
