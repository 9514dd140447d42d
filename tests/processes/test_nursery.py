"""The fork server: everything here runs with control groups, where they can be had, and without."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from testloom.processes import cgroup, nursery, own_fds, tree
from testloom.processes.clock import SystemClock
from testloom.processes.nursery import ChildMain, News, Nursery, NurseryGone

LIMIT_S = 20.0
Gone = Callable[[int], bool]
Script = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(params=["cgroup", "no cgroup"])
def grouping(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "no cgroup":
        monkeypatch.setattr(nursery, "make_cgroup", lambda _name: None)
    return str(request.param)


class Room:
    """A nursery and the ends of its workers' channels and outputs that are ours."""

    def __init__(self, child_main: ChildMain) -> None:
        self.nursery = Nursery(child_main, name=f"testloom-test-{os.getpid()}")
        self.channels: dict[int, socket.socket] = {}
        self.outputs: dict[int, int] = {}

    def start(self, slot: int = 0) -> int:
        """Start a worker; return its number."""
        self.order(slot)
        news = self.news()
        assert news == News("started", slot, news.pid)
        return news.pid

    def order(self, slot: int = 0) -> None:
        self.forget(slot)
        self.channels[slot], theirs = socket.socketpair()
        self.outputs[slot], writer = os.pipe()
        own_fds.add(self.channels[slot].fileno())
        own_fds.add(self.outputs[slot])
        self.nursery.start(slot, theirs, writer)
        theirs.close()
        os.close(writer)

    def news(self) -> News:
        assert select.select([self.nursery], [], [], LIMIT_S)[0]
        return self.nursery.news()

    def said(self, slot: int = 0) -> str:
        """What a worker that has ended wrote to its streams."""
        pieces = []
        while piece := os.read(self.outputs[slot], 65536):
            pieces.append(piece)
        return b"".join(pieces).decode()

    def line(self, slot: int = 0) -> str:
        """The next piece of what it writes."""
        return os.read(self.outputs[slot], 65536).decode()

    def forget(self, slot: int) -> None:
        if slot in self.channels:
            own_fds.discard(self.channels[slot].fileno())
            self.channels.pop(slot).close()
            own_fds.close(self.outputs.pop(slot))

    def close(self) -> None:
        for slot in list(self.channels):
            self.forget(slot)
        self.nursery.close()


@pytest.fixture
def make(grouping: str) -> Iterator[Callable[[ChildMain], Room]]:
    rooms: list[Room] = []

    def make_one(child_main: ChildMain) -> Room:
        rooms.append(Room(child_main))
        return rooms[-1]

    yield make_one
    for room in rooms:
        room.close()
    if rooms and rooms[0].nursery._cgroup is not None:
        assert not os.path.exists(rooms[0].nursery._cgroup.path)


def sleeps(_slot: int, _channel: socket.socket) -> None:
    signal.pause()


def leaves_others(_slot: int, _channel: socket.socket) -> None:
    """Start a daemon, one in a session of its own, and a grandchild; tell all their numbers."""
    script = "sleep 99 >/dev/null & echo $!; setsid sleep 99 >/dev/null & echo $!; exec sleep 99 >/dev/null"
    children = [subprocess.Popen(["sh", "-c", script]) for _ in range(2)]
    children.append(subprocess.Popen(["sh", "-c", "setsid sleep 99 >/dev/null & echo $!"]))
    children[-1].wait()
    print("told", flush=True)
    signal.pause()


def told(room: Room) -> list[int]:
    text = ""
    while "told" not in text or len(text.split()) < 6:
        text += room.line()
    return [int(word) for word in text.split() if word.isdigit()]


def test_a_worker_that_returns_has_ended_well(make: Callable[[ChildMain], Room]) -> None:
    room = make(lambda slot, _channel: print("slot", slot))
    pid = room.start(3)
    news = room.news()

    assert (news.what, news.slot, news.pid, news.code, news.note) == ("ended", 3, pid, 0, "")
    assert news.max_rss_bytes > 1_000_000
    assert room.said(3) == "slot 3\n"


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        (lambda: os._exit(7), 7, ""),
        (lambda: sys.exit(3), 3, ""),
        (lambda: sys.exit("in words"), 1, "in words\n"),
        (sys.exit, 1, ""),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), -9, ""),
        (lambda: signal.raise_signal(signal.SIGTERM), -15, ""),
        (lambda: signal.raise_signal(signal.SIGINT), -2, ""),
    ],
)
def test_every_end_of_a_worker_is_told(
    make: Callable[[ChildMain], Room], how: Callable[[], None], code: int, said: str
) -> None:
    room = make(lambda _slot, _channel: how())
    room.start()

    assert (room.news().code, room.said()) == (code, said)


def test_an_exception_in_a_worker_is_shown(make: Callable[[ChildMain], Room]) -> None:
    def fails(_slot: int, _channel: socket.socket) -> None:
        raise ValueError("planted")

    room = make(fails)
    room.start()

    assert room.news().code == 1
    assert room.said().endswith("ValueError: planted\n")


def test_a_worker_can_be_talked_to(make: Callable[[ChildMain], Room]) -> None:
    def echoes(_slot: int, channel: socket.socket) -> None:
        channel.sendall(channel.recv(100).upper())

    room = make(echoes)
    room.start()
    room.channels[0].sendall(b"hello")

    assert room.channels[0].recv(100) == b"HELLO"
    assert room.news().code == 0


def test_a_worker_starts_clean(make: Callable[[ChildMain], Room]) -> None:
    """Nothing of the runner is open, and what a test starts does not get the channel."""
    own = own_fds.add(os.memfd_create("journal"))
    theirs = files()

    def looks(_slot: int, channel: socket.socket) -> None:
        print(
            *(
                files()
                - theirs
                - {os.readlink(f"/proc/self/fd/{fd}") for fd in (1, channel.fileno())}
            )
        )
        print("journal" in str(files()), os.get_inheritable(channel.fileno()))
        print(os.getsid(0) == os.getpgid(0) == os.getpid())
        print(signal.pthread_sigmask(signal.SIG_BLOCK, ()), signal.getsignal(signal.SIGTERM).name)  # type: ignore[union-attr]  # an enum
        print(repr(sys.stdin.read()), threading.active_count())

    room = make(looks)
    room.start()
    room.news()
    own_fds.close(own)

    assert room.said().splitlines() == ["", "False False", "True", "set() SIG_DFL", "'' 1"]


def files() -> set[str]:
    """What is open, but for the directory that is read here."""
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.add(os.readlink(f"/proc/self/fd/{fd}"))
    return found


def test_killing_a_worker_kills_all_below_it_first(make: Callable[[ChildMain], Room]) -> None:
    room = make(leaves_others)
    pid = room.start()
    others = told(room)
    room.nursery.kill(0)
    news = room.news()

    assert (news.what, news.pid, news.code, news.note) == ("ended", pid, -9, "")
    assert len(others) == 5
    assert [tree.is_zombie(other) for other in others] == [True] * 5


def test_what_a_dead_worker_leaves_is_gone_before_its_end_is_told(
    make: Callable[[ChildMain], Room],
) -> None:
    room = make(leaves_others)
    pid = room.start()
    others = told(room)
    os.kill(pid, signal.SIGSEGV)

    assert room.news().code == -signal.SIGSEGV
    assert [tree.is_zombie(other) for other in others] == [True] * 5


def answers(_slot: int, channel: socket.socket) -> None:
    """Let a program answer: it is below the worker."""
    subprocess.run(["cat"], stdin=channel.fileno(), stdout=channel.fileno(), check=False)


def test_nothing_runs_between_pause_and_resume(make: Callable[[ChildMain], Room]) -> None:
    room = make(answers)
    room.start(0)
    channel = room.channels[0]
    channel.settimeout(LIMIT_S)
    channel.send(b"before")
    assert channel.recv(10) == b"before"

    room.nursery.pause()
    room.start(1)  # orders are obeyed one after the other
    room.channels[0].send(b"after")
    assert select.select([channel], [], [], 0.05)[0] == []
    room.nursery.resume()
    assert channel.recv(10) == b"after"


def test_what_is_paused_can_be_killed(make: Callable[[ChildMain], Room]) -> None:
    room = make(answers)
    pid = room.start()
    room.nursery.pause()
    room.nursery.kill(0)
    news = room.news()
    assert (news.what, news.pid, news.code) == ("ended", pid, -signal.SIGKILL)
    room.nursery.resume()


def test_other_workers_live_on(make: Callable[[ChildMain], Room]) -> None:
    room = make(sleeps)
    pids = [room.start(slot) for slot in range(4)]
    room.nursery.kill(1)
    news = room.news()
    room.nursery.end(2)
    second = room.news()

    assert (news.slot, news.pid, second.slot, second.pid) == (1, pids[1], 2, pids[2])
    assert [tree.is_zombie(pid) for pid in pids] == [False, True, True, False]


def test_a_slot_can_be_used_again(make: Callable[[ChildMain], Room]) -> None:
    room = make(lambda slot, _channel: sys.exit(slot))
    ends = []
    for slot in [5, 5, 6, 5]:
        room.start(slot)
        ends.append(room.news().code)

    assert ends == [5, 5, 6, 5]


def test_orders_about_a_slot_without_a_worker_are_passed_over(
    make: Callable[[ChildMain], Room],
) -> None:
    room = make(lambda _slot, _channel: None)
    room.nursery.kill(0)
    room.nursery.end(7)
    room.start()

    assert room.news().what == "ended"


def test_a_worker_that_is_asked_to_end_while_it_starts_ends(
    make: Callable[[ChildMain], Room],
) -> None:
    room = make(sleeps)
    for slot in range(20):
        room.order(slot)
        room.nursery.end(slot)
    news = [room.news() for _ in range(40)]

    ended = [n.code for n in news if n.what == "ended"]
    assert len(ended) == 20
    assert set(ended) <= {-signal.SIGTERM, -nursery.STACKS_SIGNAL}


def test_a_worker_can_be_asked_to_end_once_more(make: Callable[[ChildMain], Room]) -> None:
    def asks_twice(_slot: int, channel: socket.socket) -> None:
        signal.signal(nursery.STACKS_SIGNAL, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        channel.send(b"x")
        signal.sigwait([signal.SIGTERM])
        channel.send(b"x")
        signal.sigwait([signal.SIGTERM])
        sys.exit(7)

    room = make(asks_twice)
    room.start()
    room.channels[0].recv(1)
    room.nursery.end(0)
    room.channels[0].recv(1)
    room.nursery.remind(0)

    assert room.news().code == 7


def test_the_terminals_signals_are_not_for_the_nursery(make: Callable[[ChildMain], Room]) -> None:
    room = make(lambda _slot, _channel: None)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP):
        os.kill(room.nursery.pid, number)
    room.start()

    assert room.news().code == 0
    assert os.getsid(room.nursery.pid) == room.nursery.pid


def test_closing_ends_everything(make: Callable[[ChildMain], Room], gone: Gone) -> None:
    room = make(leaves_others)
    pid = room.start()
    others = told(room)
    room.close()

    assert all(gone(other) for other in [pid, *others])
    assert not tree.has_children()


def test_a_nursery_that_is_killed_takes_everything_with_it(
    make: Callable[[ChildMain], Room], gone: Gone
) -> None:
    room = make(leaves_others)
    pid = room.start()
    others = told(room)
    os.kill(room.nursery.pid, signal.SIGKILL)
    with pytest.raises(NurseryGone):
        room.news()
    with pytest.raises(NurseryGone):
        room.nursery.kill(0)
    room.close()

    assert all(gone(other) for other in [pid, *others])
    assert not tree.has_children()


def test_a_stopped_nursery_can_be_closed(make: Callable[[ChildMain], Room], gone: Gone) -> None:
    room = make(sleeps)
    pid = room.start()
    os.kill(room.nursery.pid, signal.SIGSTOP)
    room.forget(0)
    room.nursery.close(timeout_s=0.1)

    assert gone(pid)
    room.nursery = Nursery(sleeps, name=f"testloom-test-{os.getpid()}")


def test_the_children_of_main_are_not_the_nurserys_to_kill_or_to_reap(
    make: Callable[[ChildMain], Room],
) -> None:
    """A suite's server, started before the run or while it goes on."""
    early = subprocess.Popen(["sleep", "99"], start_new_session=True)
    room = make(sleeps)
    room.start()
    late = subprocess.Popen(["sleep", "99"])
    dead = subprocess.Popen(["sh", "-c", "exit 7"])
    os.kill(room.nursery.pid, signal.SIGKILL)
    room.close()
    alive = early.poll(), late.poll()
    early.kill()
    late.kill()

    assert (alive, dead.wait(), early.wait(), late.wait()) == ((None, None), 7, -9, -9)


def test_main_going_without_having_read_all_ends_everything(
    make: Callable[[ChildMain], Room], gone: Gone
) -> None:
    """The nursery's next read is an error then, not an end-of-file."""
    room = make(leaves_others)
    pid = room.start()
    others = told(room)
    room.order(1)
    assert select.select([room.nursery], [], [], LIMIT_S)[0]
    own_fds.discard(room.nursery.fileno())
    room.nursery._control.close()

    assert all(gone(other) for other in [pid, *others])


def test_threads_and_forks_do_not_go_together() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, name="planted")
    thread.start()
    try:
        with pytest.raises(RuntimeError, match="other threads run: planted"):
            Nursery(sleeps, name="never")
    finally:
        stop.set()
        thread.join()


def test_orders_and_news_do_not_block_each_other(
    make: Callable[[ChildMain], Room], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With very many slots both are more than the sockets hold."""
    socketpair = socket.socketpair

    def narrow(*arguments: int) -> tuple[socket.socket, socket.socket]:
        ends = socketpair(*arguments)
        for end in ends:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        return ends

    monkeypatch.setattr(socket, "socketpair", narrow)
    room = make(sleeps)
    monkeypatch.setattr(socket, "socketpair", socketpair)
    count = 30
    for slot in range(count):
        room.order(slot)
    for slot in range(count):
        room.nursery.kill(slot)
    news = [room.news() for _ in range(2 * count)]

    assert sorted(n.slot for n in news if n.what == "started") == list(range(count))
    assert sorted(n.slot for n in news if n.what == "ended") == list(range(count))


WITHOUT_STREAMS = """
import os, socket, sys
from testloom.processes.nursery import Nursery

def child_main(slot, channel):
    print("said")
    channel.sendall(repr([os.path.realpath(f"/proc/self/fd/{fd}")[:5] for fd in (0, 1, 2)]).encode())

result = os.dup(2)
if "broken" in sys.argv:
    reader, writer = os.pipe()
    os.close(reader)
    os.dup2(writer, 1)
    sys.stdout = open(1, "w", closefd=False)
    print("nobody reads this")
else:
    for fd in (0, 1, 2):
        os.close(fd)
room = Nursery(child_main, name=f"testloom-test-{os.getpid()}")
ours, theirs = socket.socketpair()
reader, writer = os.pipe()
room.start(0, theirs, writer)
while (news := room.news()).what != "ended":
    pass
room.close()
os.write(result, b"%r %s" % (os.read(reader, 100), ours.recv(100)))
os._exit(news.code)
"""


@pytest.mark.parametrize("how", ["broken", "closed"])
def test_a_runner_without_standard_streams_has_workers_with_them(script: Script, how: str) -> None:
    ran = script(WITHOUT_STREAMS, how)

    assert (ran.stderr, ran.returncode) == ("b'said\\n' ['/dev/', '/proc', '/proc']", 0)


MAIN = """
import os, signal, socket, subprocess, sys
from testloom.processes import nursery
if "no cgroup" in sys.argv:
    nursery.make_cgroup = lambda name: None

def child_main(slot, channel):
    daemon = subprocess.Popen(["setsid", "sleep", "99"], stdout=subprocess.DEVNULL)
    print(os.getpid(), os.getppid(), daemon.pid, flush=True)
    signal.pause()

server = nursery.Nursery(child_main, name=f"testloom-test-{os.getpid()}")
if "fork" in sys.argv and os.fork() == 0:  # holds all that main has open
    os.close(1)
    os.close(2)
    signal.pause()
ours, theirs = socket.socketpair()
server.start(0, theirs, 1)
server.news()
signal.pause()
"""


@pytest.mark.parametrize("fork", ["fork", "no fork"])
def test_when_main_is_killed_all_are_gone_within_two_seconds(grouping: str, fork: str) -> None:
    """Also if a process that main has forked holds the other end of the lifeline."""
    main = subprocess.Popen(
        [sys.executable, "-c", MAIN, grouping, fork], stdout=subprocess.PIPE, text=True
    )
    assert main.stdout is not None
    pids = [int(pid) for pid in main.stdout.readline().split()]
    main.stdout.close()
    groups = [cgroup.Cgroup(path) for path in groups_of(main.pid)]
    fds = [os.pidfd_open(pid) for pid in pids]
    main.kill()
    main.wait()
    ended: set[int] = set()
    clock = SystemClock()
    until = clock.now() + 2
    while len(ended) < len(fds) and clock.now() < until:
        ended.update(select.select([fd for fd in fds if fd not in ended], [], [], 0.5)[0])
    for fd in fds:
        os.close(fd)
    tree.kill_below(os.getpid())

    assert len(ended) == 3
    assert [group.path for group in groups if os.path.exists(group.path)] == []


def groups_of(pid: int) -> list[str]:
    """The control groups that the runner *pid* has made."""
    place = cgroup.place()
    names = os.listdir(place) if place else []
    return [f"{place}/{name}" for name in names if name.startswith(f"testloom-test-{pid}.")]
