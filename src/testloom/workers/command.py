"""Programs in slots: a worker that runs one program to its end, with all that it starts.

`Commands` owns the nursery in which they run.  It is not forked from this process, which may
have threads; when this process ends, however that happens, all programs are killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from testloom.model.outcome import Exited, Killed, NotStarted, ProgramEnd, TimedOut
from testloom.processes import job, own_fds
from testloom.processes.loop import EventLoop
from testloom.processes.nursery import News, Nursery, NurseryGone
from testloom.processes.nursery_apart import NurseryApart
from testloom.scheduling.worker import Worker

KILL_S: Final = 10.0
"""How long a program that was killed may take to end."""
_LOST: Final = "the process that runs the programs has died"


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A program to run."""

    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str]
    """Its whole environment."""
    stdout: str = os.devnull
    """The file for its output."""
    stderr: str = os.devnull
    """The file for its errors; may be the same."""
    memory_bytes: int | None = None
    """Limit of its address space, and that of each process below it."""
    timeout_s: float | None = None
    grace_s: float = 5.0
    """Seconds between SIGTERM and SIGKILL."""


class CommandWorker(Worker):
    """One program in a slot."""

    def __init__(self, commands: Commands, uid: str, command: Command, slot: int) -> None:
        self.commands = commands
        self.command = command
        self.timeout_s, self.grace_s = command.timeout_s, command.grace_s
        self.end: ProgramEnd | None = None
        self.max_rss_bytes = 0
        self.was_killed = False
        self._ended: Callable[[], None] | None = None
        super().__init__(uid, None, "", slot, None)

    def start(self) -> None:
        """Have the nursery start it."""
        self.commands.run(self)

    def watch(self, loop: EventLoop, ended: Callable[[], None]) -> bool:  # noqa: ARG002 - that of `Commands`
        """`Commands` tells."""
        self._ended = ended
        return True

    def poll(self, scheduler: object) -> bool:  # noqa: ARG002 - part of the documented interface
        return self.end is None

    def terminate(self) -> None:
        """Ask the program and all below it to end."""
        self.commands.tell(Nursery.terminate, self.slot)

    def kill(self) -> None:
        """Kill the program and all below it."""
        self.was_killed = True
        self.commands.kill(self)

    def finish(self, end: ProgramEnd) -> None:
        """`Commands` knows how it ended."""
        self.end = end
        if self._ended is not None:
            self._ended()


class Commands:
    """The programs of all slots.

    Args:
        loop: the event loop of the scheduler that uses the workers.
        name: names the control group.
    """

    def __init__(self, loop: EventLoop, *, name: str) -> None:
        self._loop = loop
        self._name = name
        self._nursery: Nursery | None = None
        self._running: dict[int, tuple[CommandWorker, socket.socket]] = {}
        """slot -> who runs there, and our end of its channel"""

    def worker(self, uid: str, command: Command, slot: int) -> CommandWorker:
        """Start *command* in *slot*."""
        return CommandWorker(self, uid, command, slot)

    def run(self, worker: CommandWorker) -> None:
        """Start the program of *worker*; if that fails, it has ended in the loop's next round."""
        try:
            self._start(worker)
        except (OSError, NurseryGone) as error:
            why = getattr(error, "strerror", None) or _LOST
            self._loop.call_soon(lambda: worker.finish(NotStarted(why)))

    def _start(self, worker: CommandWorker) -> None:
        nursery = self._living()
        ours, theirs = socket.socketpair()
        null = -1
        try:
            job.send(_job(worker.command), ours)
            null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            nursery.start(worker.slot, theirs, null)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            if null >= 0:
                os.close(null)
        own_fds.add(ours.fileno())
        self._running[worker.slot] = worker, ours

    def tell(self, what: Callable[[Nursery, int], None], slot: int) -> None:
        """Have the nursery do *what* with the program of *slot*, if it runs."""
        if slot in self._running and self._nursery is not None:
            with contextlib.suppress(NurseryGone):  # read next
                what(self._nursery, slot)

    def kill(self, worker: CommandWorker) -> None:
        """Kill the program of *worker*; give its slot up if that does not help."""
        self.tell(Nursery.kill, worker.slot)
        self._loop.call_at(self._loop.now() + KILL_S, lambda: self._give_up(worker))

    def _give_up(self, worker: CommandWorker) -> None:
        """It hangs in the kernel, or the nursery does."""
        if worker.end is None and self._running.get(worker.slot, (None,))[0] is worker:
            self._let_go(worker.slot)
            worker.slot_lost = True
            worker.finish(_end_of(worker, News("ended", worker.slot, code=-signal.SIGKILL), ""))

    def close(self) -> None:
        """Kill all programs and see them gone."""
        if self._nursery is not None:
            self._loop.unwatch(self._nursery.fileno())
            self._nursery.close()
            self._nursery = None
        for slot in list(self._running):
            self._let_go(slot)

    def _living(self) -> Nursery:
        """Return the nursery: started when first needed, and again if it died."""
        if self._nursery is None:
            self._nursery = NurseryApart(name=self._name)
            self._loop.watch(self._nursery.fileno(), self._read_news)
        return self._nursery

    def _read_news(self) -> None:
        assert self._nursery is not None
        try:
            news = self._nursery.news()
        except NurseryGone:
            lost = list(self._running)
            workers = [self._running[slot][0] for slot in lost]
            self.close()
            for worker in workers:
                worker.finish(NotStarted(_LOST))
            return
        if news.what != "started" and news.slot in self._running:
            self._ended(news)

    def _ended(self, news: News) -> None:
        worker, channel = self._running[news.slot]
        complaint = job.complaint(channel)
        self._let_go(news.slot)
        worker.max_rss_bytes = news.max_rss_bytes
        worker.finish(_end_of(worker, news, complaint))

    def _let_go(self, slot: int) -> None:
        _worker, channel = self._running.pop(slot)
        own_fds.discard(channel.fileno())
        channel.close()


def _job(command: Command) -> job.Job:
    return job.Job(
        argv=[os.fsencode(argument) for argument in command.argv],
        cwd=os.fsencode(command.cwd),
        env={os.fsencode(name): os.fsencode(value) for name, value in command.env.items()},
        stdout=os.fsencode(command.stdout),
        stderr=os.fsencode(command.stderr),
        memory_bytes=command.memory_bytes,
    )


def _end_of(worker: CommandWorker, news: News, complaint: str) -> ProgramEnd:
    if news.what == "failed":
        return NotStarted(news.note)
    if complaint:
        return NotStarted(complaint)
    if worker.timed_out:
        ignored_term = worker.was_killed and news.code == -signal.SIGKILL
        return TimedOut(worker.timeout_s or 0.0, ignored_term=ignored_term)
    return Exited(news.code) if news.code >= 0 else Killed(-news.code)
