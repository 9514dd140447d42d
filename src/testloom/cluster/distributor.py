"""A batch system that is this machine: the reference for those that are not.

Jobs run on testloom's scheduler, as many at a time as there are places, each in a session and (where there
are control groups) a group of its own, with the limits it asked for.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import shlex
import shutil
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from testloom.cluster.engine import Engine, logger
from testloom.cluster.ledger import Ledger
from testloom.cluster.request import Request
from testloom.cluster.worker_node import ARRAY_STEP_ID, JOB_ID, log_path
from testloom.model.cluster import (
    ClusterDistributor,
    RemoteExitInfo,
    ReturnCodes,
    TaskInstanceStatus,
)
from testloom.model.outcome import (
    Exited,
    Killed,
    NotStarted,
    OutOfMemory,
    OutputLimit,
    ProgramEnd,
    TimedOut,
)
from testloom.scheduling import available_cores
from testloom.workers.command import Command

GRACE_S: Final = 5.0


class MultiprocessDistributor(ClusterDistributor):
    """Runs jobs on this machine.  May be used from several threads.

    Args:
        cluster_name: what it is called.
        parallelism: how many cores there are to give out.  A job takes as many as it asks for
            (one, if it does not say); one that asks for more than there are runs alone.
        worker_node_entry_point: what runs commands, quoted as for a shell; by default
            ``testloom worker-node``.  Empty: commands run as they are.
        log_dir: directory of the logs of jobs that name none; without, logs are dropped.
        grace_s: seconds between asking a job to end and killing it.
    """

    def __init__(
        self,
        cluster_name: str,
        parallelism: int = 3,
        *args: Any,
        worker_node_entry_point: str | None = None,
        log_dir: str | None = None,
        grace_s: float = GRACE_S,
        **kwargs: Any,
    ) -> None:
        del args, kwargs  # part of the documented signature
        if parallelism < 1:
            raise ValueError(f"parallelism must be at least 1, not {parallelism}")
        self._cluster_name = cluster_name
        self._parallelism = parallelism
        self._entry_point = worker_node_entry_point
        self._log_dir = log_dir
        self._grace_s = grace_s
        self._ledger = Ledger()
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._callbacks: list[Callable[[str], object]] = []
        self.started = False

    @property
    def worker_node_entry_point(self) -> str:
        """What runs on a node, with a command behind it; quoted as a shell wants it."""
        return default_entry_point() if self._entry_point is None else self._entry_point

    @property
    def cluster_name(self) -> str:
        return self._cluster_name

    def start(self) -> None:
        """Be ready to submit; once more is fine, and submitting before is fine, too."""
        self.started = True

    def stop(self) -> None:
        """Kill what is running, let what waits never run, and see everything gone."""
        with self._lock:
            engine, self._engine = self._engine, None
            self.started = False
            jobs = self._ledger.active()
            _running, waited = self._ledger.ask_to_end(jobs)
        if engine is not None:
            atexit.unregister(engine.close)
            engine.close()  # kills what runs, and tells how it ended
            self._give_up(jobs)
            for job in waited:
                self._call_back(job)

    def submit_to_batch_distributor(
        self, command: str, name: str, requested_resources: Mapping[str, Any]
    ) -> str:
        """Run ``worker_node_entry_point command``, without a shell; return the job's id.

        Of *requested_resources*, ``cores``, ``memory`` and ``runtime`` are honoured; ``stdout``
        and ``stderr`` name directories for the logs, ``NAME.oID`` and ``NAME.eID``.

        Raises:
            ValueError: the command's quotes do not match, or a resource makes no sense.
        """
        task = self._task(command, name, requested_resources)
        job = str(next(self._numbers))
        self._add({job: functools.partial(task.command, job)}, task)
        return job

    def submit_array_to_batch_distributor(
        self,
        command: str,
        name: str,
        requested_resources: Mapping[str, Any],
        array_length: int,
    ) -> dict[int, str]:
        """Run the command *array_length* times, each with its step in ``ARRAY_STEP_ID``."""
        task = self._task(command, name, requested_resources)
        number = str(next(self._numbers))
        ids = {step: f"{number}_{step}" for step in range(array_length)}
        self._add(
            {job: functools.partial(task.command, number, step) for step, job in ids.items()}, task
        )
        return ids

    def _task(self, command: str, name: str, requested: Mapping[str, Any]) -> _Task:
        return _Task(
            tuple(shlex.split(f"{self.worker_node_entry_point} {command}")),
            name,
            Request.of(requested),
            (requested.get("stdout", self._log_dir), requested.get("stderr", self._log_dir)),
            self._grace_s,
        )

    def _add(self, jobs: Mapping[str, Callable[[], Command]], task: _Task) -> None:
        with self._lock:
            if self._engine is None:
                self._engine = Engine(
                    self._parallelism,
                    begin=self._ledger.begin,
                    ended=self._ended,
                    gone=self._engine_gone,
                )
                atexit.register(self._engine.close)
            self._ledger.queue(jobs)  # before anything can end
            for job, make in jobs.items():
                self._engine.add(job, make, task.request.cores)

    def get_submitted_or_running(self, distributor_ids: Iterable[str] | None = None) -> set[str]:
        """Return those of *distributor_ids* (of all, if None) that have not ended."""
        return self._ledger.active(distributor_ids)

    def wait(
        self, distributor_ids: Iterable[str] | None = None, timeout: float | None = None
    ) -> set[str]:
        """Wait until all of *distributor_ids* have ended, at most *timeout* seconds.

        None for *distributor_ids* means all that were submitted before.

        Returns:
            Those that have not ended.
        """
        return self._ledger.wait(distributor_ids, timeout)

    def on_ended(self, callback: Callable[[str], object]) -> None:
        """Call *callback* with the id of each job that ends, in another thread.

        Then its exit info is there.  A callback must not wait for jobs.
        """
        self._callbacks.append(callback)

    def terminate_task_instances(self, distributor_ids: Iterable[str]) -> None:
        """Ask these jobs and all they have started to end; kill what has not after the grace.

        Those that wait for their turn have ended when this returns.
        """
        running, waited = self._ledger.ask_to_end(distributor_ids)
        with self._lock:
            engine = self._engine
        if engine is None:
            return
        if running:
            engine.end(running)
        if waited:
            engine.discard(waited)
            for job in waited:
                engine.call(functools.partial(self._call_back, job))

    def get_queueing_errors(self, distributor_ids: Iterable[str]) -> dict[str, str]:
        """Return, once, why those of *distributor_ids* that could not be run could not."""
        return self._ledger.take_errors(distributor_ids)

    def get_remote_exit_info(self, distributor_id: str) -> RemoteExitInfo:
        """Return how a job ended.

        Raises:
            RemoteExitInfoNotAvailable: it has not ended, or that was too long ago.
        """
        return self._ledger.info(distributor_id)

    # -- in the thread of the engine ------------------------------------------------------------

    def _ended(self, job: str, end: ProgramEnd) -> None:
        info, error = told_of(end)
        self._ledger.settle(job, info, error)
        self._call_back(job)

    def _call_back(self, job: str) -> None:
        for callback in self._callbacks:
            try:
                callback(job)
            except Exception:  # noqa: BLE001 - foreign code
                logger.exception("a callback for the end of job %s failed", job)

    def _engine_gone(self, engine: Engine) -> None:
        """Nothing runs any more: no job may seem to."""
        with self._lock:
            if self._engine is not engine:
                return  # `stop` sees to it
            self._engine = None
            jobs = self._ledger.active()
        self._give_up(jobs)

    def _give_up(self, jobs: Iterable[str]) -> None:
        for job in self._ledger.active(jobs):
            self._ledger.settle(job, RemoteExitInfo(_UNKNOWN, "its distributor has ended"))
            self._call_back(job)


class _Task:
    """What one submission is about; shared by all steps of an array."""

    def __init__(
        self,
        argv: tuple[str, ...],
        name: str,
        request: Request,
        log_dirs: tuple[str | None, str | None],
        grace_s: float,
    ) -> None:
        self.request = request
        self._argv = argv
        self._name = name
        self._log_dirs = log_dirs
        self._grace_s = grace_s
        self._cwd = os.getcwd()
        self._environ = dict(os.environ)
        self._environ.pop(ARRAY_STEP_ID, None)

    def command(self, number: str, step: int | None = None) -> Command:
        """Return the command of the job, or of one step of it."""
        environ = {**self._environ, JOB_ID: number}
        job = number
        if step is not None:
            environ[ARRAY_STEP_ID] = str(step)
            job = f"{number}_{step}"
        out, err = self._log_dirs
        return Command(
            argv=self._argv,
            cwd=self._cwd,
            env=environ,
            stdout=os.path.join(self._cwd, log_path("stdout", out, self._name, job)),
            stderr=os.path.join(self._cwd, log_path("stderr", err, self._name, job)),
            memory_bytes=self.request.memory_bytes,
            timeout_s=self.request.runtime_s,
            grace_s=self._grace_s,
        )


_UNKNOWN: Final = TaskInstanceStatus.UNKNOWN_ERROR.value


def told_of(end: ProgramEnd) -> tuple[RemoteExitInfo, str]:
    """Return what to say about a job that ended like this, and why it could not be run, if so."""
    match end:
        case Exited(ReturnCodes.WORKER_NODE_CLI_FAILURE):
            return RemoteExitInfo(_UNKNOWN, "job was in kill self state"), ""
        case Exited(code):
            return RemoteExitInfo(_UNKNOWN, f"Process exited with code {code}"), ""
        case Killed(signum):
            return RemoteExitInfo(_UNKNOWN, f"Process exited with code {-signum}"), ""
        case TimedOut(after_s):
            text = f"its run time of {after_s:g} s was over"
            return RemoteExitInfo(TaskInstanceStatus.RESOURCE_ERROR.value, text), ""
        case NotStarted(why):
            return RemoteExitInfo(_UNKNOWN, f"could not be started: {why}"), why
        case OutputLimit() | OutOfMemory():
            raise AssertionError("no job has such a limit here")


def default_entry_point() -> str:
    """Return the command that runs ``testloom worker-node`` with the Python that runs this.

    Raises:
        ValueError: it cannot be found.
    """
    if sys.executable:
        return shlex.join((sys.executable, "-P", "-m", "testloom", "worker-node"))
    program = shutil.which("testloom")
    if program is None:
        raise ValueError("there is no program 'testloom' on PATH; name a worker_node_entry_point")
    return shlex.join((program, "worker-node"))


def local() -> MultiprocessDistributor:
    """Return a distributor with a place for each core: ``--distributor testloom.cluster:local``."""
    return MultiprocessDistributor("local", parallelism=available_cores())
