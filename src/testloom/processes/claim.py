"""Says in a directory who works there, so that what a killed run leaves can be told from the rest.

A claim is a file that names its process (`identity.Identity`), holds a lock as long as that
lives, and is gone when the work is done.  One whose lock is free and whose process has certainly
ended is *abandoned*: then the directory, and the processes that carry the mark of its run in
their environment, belong to nobody any more.

Nothing is ever concluded from a name.  A directory without a claim of our own user in it is left
alone, links are not followed, and where there are no locks nothing is claimed and nothing swept.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import stat
from collections.abc import Collection, Iterator
from typing import Final, Self

import msgspec

from testloom.processes import own_fds, tree
from testloom.processes.clock import SystemClock
from testloom.processes.files import refuse_mounts, remove_tree
from testloom.processes.identity import Identity, own

NAME: Final = ".testloom-claim"
MARK: Final = "TESTLOOM_RUN"
"""The variable by which programs can be told whose they are."""
_LARGEST: Final = 1 << 14
_SETTLE_S: Final = 2.0


class _Content(msgspec.Struct, frozen=True, kw_only=True):
    owner: Identity
    is_kept: bool = False
    """Whether the directory stays when its run is dead."""
    run: str = ""
    """What `MARK` is in the programs of the run; empty as long as there are none."""
    results: bytes = b""
    """Where the results of the run are: a path need not be text."""


class Claim:
    """The claim of this process on a directory."""

    def __init__(self, path: str, fd: int, content: _Content) -> None:
        self._path, self._fd, self._content = path, fd, content

    @classmethod
    def on(cls, directory: str, *, is_kept: bool) -> Claim | None:
        """Claim *directory*; None where that cannot be done.

        Raises:
            OSError: the directory cannot be written.
        """
        owner = own()
        if owner is None:
            return None
        content = _Content(owner=owner, is_kept=is_kept)
        # Nobody sees it before it is locked.
        hidden = os.path.join(directory, f"{NAME}-{os.getpid()}")
        fd = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        path = os.path.join(directory, NAME)
        claim = cls(path, own_fds.add(fd), content)
        try:
            os.write(fd, msgspec.json.encode(content))
            if _is_locked_by_us(fd):
                os.rename(hidden, path)
                return claim
        except BaseException:
            claim._give_up(hidden)
            raise
        claim._give_up(hidden)
        return None

    def name_run(self, run: str, results: str) -> None:
        """Say what `MARK` is in the programs that are going to be started, and where results are."""
        self._content = msgspec.structs.replace(
            self._content, run=run, results=os.fsencode(results)
        )
        data = msgspec.json.encode(self._content)
        with contextlib.suppress(OSError):  # the disk is full: then nobody is told
            os.pwrite(self._fd, data, 0)

    def release(self) -> None:
        """The work is done: what is left in the directory is left on purpose."""
        if self._fd >= 0:
            self._give_up(self._path)

    def _give_up(self, path: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(path)
        fd, self._fd = self._fd, -1
        own_fds.close(fd)


class Found:
    """A claim that somebody has left in a directory; locked by us until the end of the ``with``."""

    def __init__(self, directory: str, fd: int, content: _Content) -> None:
        self.directory = directory
        self.is_kept = content.is_kept
        self.pid = content.owner.pid
        self.results = os.fsdecode(content.results)
        self._fd, self._content = fd, content

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def end_processes(self) -> int:
        """Kill what is left of the run's programs; return how many there were."""
        return _end_marked(self._content.run) if self._content.run else 0

    def remove(self, but: Collection[str] = ()) -> list[str]:
        """Remove the directory, except the entries *but*; return what could not be removed.

        Of one that is kept, only the claim is removed.

        Raises:
            OSError: it cannot be read, or a test has mounted something there: then all stays.
        """
        left: list[str] = []
        spare = {*but, NAME}
        if not self.is_kept:
            refuse_mounts(self.directory)
            for name in set(os.listdir(self.directory)) - spare:
                left += remove_tree(os.path.join(self.directory, name))
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(self.directory, NAME))
            os.rmdir(self.directory)
        return left


def user_of(directory: str) -> int | None:
    """Return the number of the process that works in *directory*; None if none is known to."""
    read = _read(directory)
    if read is None:
        return None
    fd, content = read
    try:
        return None if _is_locked_by_us(fd) else content.owner.pid
    finally:
        os.close(fd)


def abandoned(directory: str) -> Found | None:
    """Return the claim in *directory* if it is certain that its process is dead."""
    read = _read(directory)
    if read is None:
        return None
    fd, content = read
    path = os.path.join(directory, NAME)
    try:
        if _is_locked_by_us(fd) and content.owner.has_ended() and _is_at(fd, path):
            return Found(directory, fd, content)
    except OSError:
        pass
    os.close(fd)
    return None


def all_abandoned(parent: str, prefix: str) -> Iterator[Found]:
    """Yield the abandoned claims in the directories of *parent* whose names begin with *prefix*."""
    try:
        with os.scandir(parent) as entries:
            paths = [
                entry.path
                for entry in entries
                if entry.name.startswith(prefix) and entry.is_dir(follow_symlinks=False)
            ]
    except OSError:
        return
    for path in paths:
        # There may be thousands of directories of tests that failed: most have none.
        found = abandoned(path) if os.path.lexists(f"{path}/{NAME}") else None
        if found is not None:
            with found:
                yield found


def _read(directory: str) -> tuple[int, _Content] | None:
    """Return the claim in *directory*, open, if that and the directory are nobody's but ours."""
    try:
        place = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    fd = -1
    try:
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        fd = os.open(NAME, flags, dir_fd=place)
        info = os.fstat(fd)
        is_plain = stat.S_ISREG(info.st_mode) and info.st_nlink == 1
        if is_plain and _is_ours(info) and _is_ours(os.fstat(place)):
            return fd, msgspec.json.decode(os.pread(fd, _LARGEST, 0), type=_Content)
    except (OSError, msgspec.MsgspecError):
        pass
    finally:
        os.close(place)
    if fd >= 0:
        os.close(fd)
    return None


def _is_ours(info: os.stat_result) -> bool:
    """Whether nobody else could have made or changed it."""
    return info.st_uid == os.geteuid() and not info.st_mode & stat.S_IWOTH


def _is_locked_by_us(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # it is somebody's, or there are no locks here
        return False
    return True


def _is_at(fd: int, path: str) -> bool:
    """Whether *fd* is still what *path* names: somebody may have been quicker."""
    now, then = os.lstat(path), os.fstat(fd)
    return (now.st_dev, now.st_ino) == (then.st_dev, then.st_ino)


def _end_marked(run: str) -> int:
    """Kill the processes whose environment says that they are of *run*, but none of our own line."""
    mark = f"{MARK}={run}".encode()
    spare = {os.getpid(), *tree.ancestors(os.getpid())}
    ended: set[int] = set()
    until = SystemClock.now() + _SETTLE_S
    for _ in range(2):  # the second time also what has waited in the kernel for a moment only
        # Again until there is none: a fork may be under way.
        while (pids := [*_marked(mark, spare)]) and SystemClock.now() < until:
            ended.update(pids)
            tree.wait_gone(pids, _SETTLE_S)
    return len(ended)


def _marked(mark: bytes, spare: set[int]) -> Iterator[int]:
    """Kill each process that has *mark*, and yield its number; pass over what cannot be asked."""
    for name in os.listdir("/proc"):
        if not name.isdecimal() or int(name) in spare:
            continue
        try:
            # First a handle: the number must not become somebody else's in between.
            pidfd = os.pidfd_open(int(name))
        except OSError:
            continue
        try:
            if tree.hangs(int(name)):
                continue
            with open(f"/proc/{name}/environ", "rb") as file:
                is_marked = mark in file.read().split(b"\0")
            if is_marked and not tree.is_zombie(int(name)):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                yield int(name)
        except OSError:
            continue
        finally:
            os.close(pidfd)
