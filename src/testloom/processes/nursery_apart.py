"""A nursery that is not forked from main but started: for programs that have threads.

A fork of a process with threads may inherit locks that nobody will ever release.  So where a
library of ours runs programs on behalf of a program that is not ours, the nursery is a fresh
interpreter.  It runs `processes.job` in each slot, and is told by that what.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from testloom.processes import streams
from testloom.processes.cgroup import Cgroup
from testloom.processes.exec_self import flags
from testloom.processes.nursery import Nursery, NurseryServer, be_nursery


class NurseryApart(Nursery):
    """Main's side.  Main does not become a subreaper, and its other children are left alone.

    Args:
        name: names the control group.
    """

    def __init__(self, *, name: str) -> None:
        super().__init__(_unused, name=name)

    def _prepare(self, *, with_threads: bool) -> None:  # noqa: ARG002 - it has them
        streams.ensure()

    def _begin(self, control: socket.socket, lifeline: int) -> int:
        fds = (control.fileno(), lifeline)
        path = "" if self._cgroup is None else self._cgroup.path
        arguments = map(str, (os.getpid(), *fds, path))
        process = subprocess.Popen(
            [sys.executable, *flags(), "-m", __name__, *arguments],
            stdin=subprocess.DEVNULL,
            pass_fds=fds,
            start_new_session=True,
        )
        process.returncode = 0  # `close` waits for it, by its number
        return process.pid

    def sweep(self) -> None:
        """Kill what a nursery that died without cleaning up has left, where that can be known.

        The leaders of its slots die with it; what they had started, only with the group.
        """
        if self._cgroup is not None:
            self._cgroup.kill()


def _unused(_slot: int, _channel: socket.socket) -> None:
    """What a slot runs is known on the other side."""


def main(argv: list[str]) -> None:
    """Be the nursery: ``PARENT CONTROL_FD LIFELINE_FD CGROUP``."""
    # Only here: main has no use for it.
    from testloom.processes import job  # noqa: PLC0415 - see above

    parent, control_fd, lifeline = map(int, argv[:3])
    for fd in (control_fd, lifeline):
        os.set_inheritable(fd, False)
    control = socket.socket(fileno=control_fd)
    cgroup = Cgroup(argv[3]) if argv[3] else None
    be_nursery(parent, lambda: NurseryServer(job.child_main, control, lifeline, cgroup))


if __name__ == "__main__":
    main(sys.argv[1:])
