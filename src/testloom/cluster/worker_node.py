"""A local job as it sees itself: who it is, what it has used, where its logs go."""

from __future__ import annotations

import json
import os
import resource
from typing import Final

from testloom.model.cluster import ClusterWorkerNode, TaskInstanceStatus

JOB_ID: Final = "JOB_ID"
ARRAY_STEP_ID: Final = "ARRAY_STEP_ID"
_SUFFIXES: Final = {"stdout": "o", "output": "o", "stderr": "e", "error": "e"}


class MultiprocessWorkerNode(ClusterWorkerNode):
    """A job of a `MultiprocessDistributor`; it reads the environment when first asked."""

    def __init__(self) -> None:
        self._identity: tuple[str | None, int | None] | None = None

    @property
    def distributor_id(self) -> str | None:
        """The id that the distributor knows this job by; None outside of a job."""
        job, step = self._known()
        return job if job is None or step is None else f"{job}_{step}"

    @property
    def array_step_id(self) -> int | None:
        """Which step of an array this is, from 0; None if it is not one."""
        return self._known()[1]

    def _known(self) -> tuple[str | None, int | None]:
        if self._identity is None:
            step = os.environ.get(ARRAY_STEP_ID)
            self._identity = os.environ.get(JOB_ID), int(step) if step else None
        return self._identity

    def get_usage_stats(self) -> dict[str, str]:
        """Return what this process, and those it has waited for, have used so far."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        usage = {
            "maxrss": max(own.ru_maxrss, children.ru_maxrss) * 1024,
            "cpu": own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime,
        }
        return {name: str(value) for name, value in usage.items()} | {
            "usage_str": json.dumps(usage)
        }

    def get_exit_info(self, exit_code: int, error_msg: str) -> tuple[str, str]:
        """Return the state and the text for a command that ended like this."""
        text = f"Got exit_code: {exit_code}. Error message was: {error_msg}"
        return TaskInstanceStatus.ERROR.value, text

    def initialize_logfile(self, log_type: str, log_dir: str | None, name: str) -> str:
        """Return the path of the file that ``stdout`` or ``stderr`` goes to.

        Raises:
            ValueError: *log_type* is neither.
        """
        return log_path(log_type, log_dir, name, self.distributor_id)


def log_path(log_type: str, log_dir: str | None, name: str, distributor_id: str | None) -> str:
    """Return ``LOG_DIR/NAME.oID`` (``.eID`` for errors); ``/dev/null`` without a directory."""
    if log_type not in _SUFFIXES:
        raise ValueError(f"{log_type!r} is no log of a job; there are 'stdout' and 'stderr'")
    if not log_dir:
        return os.devnull
    file = f"{name.replace(os.sep, '_')}.{_SUFFIXES[log_type]}{distributor_id}"
    return os.path.join(log_dir, file)
