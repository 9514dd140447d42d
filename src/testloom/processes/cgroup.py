"""Control groups (version 2), where we may make them: the sure way to kill a tree.

A process cannot leave its group, so writing ``1`` to ``cgroup.kill`` ends everything that ever
came from it.  Without controllers enabled a group costs nothing.  Where no group can be made
(no cgroup2 mount, no permission) everything works without, see `tree`.

The name of a run's group ends in who made it, because nothing can be written into one.  So what
runs have left that were killed altogether is ended, and their groups are removed, when the next
one is made beside them.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import threading
from collections.abc import Iterator
from typing import Final

import msgspec

from testloom.processes.clock import SystemClock
from testloom.processes.identity import Identity, own

_PREFIX: Final = "testloom-"
_WAITED_FOR: Final = 64
"""How many members of a group are waited for one by one: each takes a descriptor."""


class Cgroup:
    """One group: a directory below the cgroup2 mount."""

    def __init__(self, path: str) -> None:
        self.path = path

    def child(self, name: str) -> Cgroup | None:
        """Make a group below this one; None if it cannot be made."""
        path = f"{self.path}/{name}"
        try:
            os.mkdir(path)
        except FileExistsError:
            pass
        except OSError:
            return None
        return Cgroup(path)

    def enter(self) -> bool:
        """Move the calling process into the group; what it starts is born there."""
        try:
            _write(f"{self.path}/cgroup.procs", "0")
        except OSError:
            return False
        return True

    def set(self, name: str, value: str) -> None:
        """Write *value* to the file *name* of the group.

        Raises:
            OSError: it is not there, or the kernel refuses.
        """
        _write(f"{self.path}/{name}", value)

    def kill(self, timeout_s: float = 1.0) -> bool:
        """Kill all in the group and below; tell whether it was empty before *timeout_s*."""
        try:
            _write(f"{self.path}/cgroup.kill", "1")
        except OSError:
            return False
        return self.wait_empty(timeout_s)

    def freeze(self, *, frozen: bool) -> bool:
        """Let nobody in the group run, or everybody again; tell whether that can be done."""
        try:
            _write(f"{self.path}/cgroup.freeze", "1" if frozen else "0")
        except OSError:
            return False
        return True

    def is_empty(self) -> bool:
        try:
            with open(f"{self.path}/cgroup.events", "rb") as file:
                return b"populated 0" in file.read()
        except OSError:
            return True

    def wait_empty(self, timeout_s: float) -> bool:
        """Wait until nobody is in the group.

        The kernel tells by a priority event, but of each group only once in ten milliseconds.  So
        those who are in it are waited for, too.
        """
        clock = SystemClock()
        until = clock.now() + timeout_s
        with contextlib.ExitStack() as open_fds:
            try:
                fd = os.open(f"{self.path}/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                return True
            open_fds.callback(os.close, fd)
            poller = select.poll()
            poller.register(fd, select.POLLPRI)
            for pid in itertools.islice(self._members(), _WAITED_FOR):
                with contextlib.suppress(OSError):  # it has gone
                    pidfd = os.pidfd_open(pid)
                    open_fds.callback(os.close, pidfd)
                    poller.register(pidfd, select.POLLIN)
            try:
                while b"populated 0" not in os.pread(fd, 4096, 0):
                    left_s = until - clock.now()
                    if left_s <= 0:
                        return False
                    for ready, _ in poller.poll(left_s * 1000):
                        if ready != fd:
                            poller.unregister(ready)
            except OSError:
                pass
        return True

    def _members(self) -> Iterator[int]:
        """Yield who is in the group and in those below it, as far as they can be read."""
        for path, _directories, _files in os.walk(self.path):
            with contextlib.suppress(OSError), open(f"{path}/cgroup.procs", "rb") as file:
                yield from map(int, file.read().split())

    def remove(self) -> None:
        """Remove the group and those that were made below it, as far as they are empty."""
        try:
            os.rmdir(self.path)
        except OSError:
            for path, _directories, _files in os.walk(self.path, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(path)


def make(name: str) -> Cgroup | None:
    """Make a group called *name* below the one we are in; None where that cannot be done.

    Groups beside it whose makers are dead are ended and removed.
    """
    parent = place()
    group = make_in(parent, name) if parent is not None else None
    if group is None:
        return None
    if not os.path.exists(f"{group.path}/cgroup.kill"):
        group.remove()
        return None
    return group


_warming: list[threading.Thread] = []


def start_warming() -> None:
    """Have the kernel get ready to move processes, while this one does something else.

    For whoever moves first within some 20 ms it waits until each processor has been somewhere else
    (a grace period of RCU), which takes 5 to 15 ms.  So this process is "moved" to where it is, some
    time before workers are.  Whoever forks calls `finish_warming` before.
    """
    here = place()
    if here is not None:
        thread = threading.Thread(target=Cgroup(here).enter, name="testloom-cgroup", daemon=True)
        with contextlib.suppress(RuntimeError):  # there may be no more threads
            thread.start()
            _warming.append(thread)


def finish_warming() -> None:
    """Wait until the kernel is ready, if that was asked for."""
    while _warming:
        _warming.pop().join()


def make_in(parent: str, name: str) -> Cgroup | None:
    """Make a group called *name*, and by whom it was made, in *parent*; None if that cannot be done."""
    me = own()
    if me is not None:
        sweep(parent)
        name = f"{name}.{me.namespace}.{me.pid}.{me.started}"
    return Cgroup(parent).child(name)


def place(controller: str = "") -> str | None:
    """Return the directory of the group that we are in; None if there is none.

    With *controller*, that is the group of that controller in version 1.
    """
    mount, path = _mount(controller), _own_path(controller)
    return None if mount is None or path is None else f"{mount}{path}".rstrip("/")


def sweep(parent: str) -> None:
    """End and remove the groups in *parent* that were made by processes that are certainly dead."""
    with contextlib.suppress(OSError):
        for name in os.listdir(parent):
            maker = maker_of(name)
            if maker is not None and maker.has_ended():
                group = Cgroup(f"{parent}/{name}")
                if group.is_empty() or group.kill():
                    group.remove()


def maker_of(name: str) -> Identity | None:
    """Return who made the run's group called *name*; None if none of us has."""
    here = own()
    _, *numbers = name.rsplit(".", 3)
    if here is None or not name.startswith(_PREFIX) or len(numbers) != 3:
        return None
    if not all(number.isdecimal() and number.isascii() for number in numbers):
        return None
    namespace, pid, started = map(int, numbers)
    # Groups do not outlive the system: what is there was made since its start.
    return msgspec.structs.replace(here, namespace=namespace, pid=pid, started=started)


def _mount(controller: str) -> str | None:
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                before, _, after = line.partition(" - ")
                kind, _, options = after.split()[:3]
                if kind == "cgroup" and controller and controller in options.split(","):
                    return before.split()[4]
                if kind == "cgroup2" and not controller:
                    return before.split()[4]
    except OSError:
        pass
    return None


def _own_path(controller: str) -> str | None:
    try:
        with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                _, controllers, path = line.rstrip("\n").split(":", 2)
                if controller in controllers.split(","):
                    return path
    except OSError:
        pass
    return None


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
