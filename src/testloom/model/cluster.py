"""What a batch system has to offer, as three protocols: queue, distributor, worker node.

Whoever implements `ClusterDistributor` for a batch system can have it run commands, and a whole
test suite (``testloom run --distributor``).  Names and signatures are those that users of jobmon
know.  A class that derives from a protocol inherits what is said here, and cannot be made as long
as something is missing.

All numbers of jobs are the batch system's own, as text: a *distributor id*.
"""

from __future__ import annotations

import dataclasses
import enum
import shlex
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

from testloom._version import __version__


class TaskInstanceStatus(enum.StrEnum):
    """What is known about a job; the letters are those of jobmon."""

    SUBMITTED = "B"
    DONE = "D"
    ERROR = "E"
    ERROR_FATAL = "F"
    INSTANTIATED = "I"
    KILL_SELF = "K"
    LAUNCHED = "O"
    QUEUED = "Q"
    RUNNING = "R"
    TRIAGING = "T"
    UNKNOWN_ERROR = "U"
    NO_DISTRIBUTOR_ID = "W"
    NO_HEARTBEAT = "X"
    RESOURCE_ERROR = "Z"


class ReturnCodes(enum.IntEnum):
    """What a worker node exits with, besides the status of its command."""

    OK = 0
    WORKER_NODE_ENV_FAILURE = 198
    """It is not what submitted the job: another version, or the files of the run are missing."""
    WORKER_NODE_CLI_FAILURE = 199
    """Its command line makes no sense, or it was told to end itself."""


class RemoteExitInfoNotAvailable(Exception):
    """Nothing is known about how a job ended."""


@dataclasses.dataclass(frozen=True)
class RemoteExitInfo:
    """How a job ended, as the batch system saw it."""

    error_state: str
    """A `TaskInstanceStatus`."""
    error_message: str
    finalized: bool = True
    """Whether this is the last word; if not, ask again later."""


RemoteExitAnswer: TypeAlias = RemoteExitInfo | tuple[str, str]
"""Older distributors answer with state and message alone, which is their last word."""


def exit_info(answer: RemoteExitAnswer) -> RemoteExitInfo:
    """Return *answer* as a `RemoteExitInfo`, whichever of its two forms it has."""
    return answer if isinstance(answer, RemoteExitInfo) else RemoteExitInfo(*answer)


@runtime_checkable
class ClusterQueue(Protocol):
    """A queue of a batch system: which resources may be asked for in it."""

    @abstractmethod
    def __init__(self, queue_id: int, queue_name: str, parameters: dict[str, Any]) -> None:
        """Take what is known about the queue."""

    @abstractmethod
    def validate_resources(self, strict: bool = False, **kwargs: Any) -> tuple[bool, str]:
        """Tell whether the resources *kwargs* can be had here, and what is wrong with them.

        Unless *strict*, what `coerce_resources` can put right is fine; the text says so all
        the same.
        """

    @abstractmethod
    def coerce_resources(self, **kwargs: Any) -> dict[str, Any]:
        """Return the resources *kwargs* brought into what can be had here."""

    @property
    @abstractmethod
    def parameters(self) -> dict[str, Any]:
        """Resource -> what may be asked for."""

    @property
    @abstractmethod
    def queue_name(self) -> str: ...

    @property
    @abstractmethod
    def queue_id(self) -> int: ...

    @property
    @abstractmethod
    def required_resources(self) -> list[str]:
        """The resources that have to be asked for."""


@runtime_checkable
class ClusterDistributor(Protocol):
    """Gives commands to a batch system, and tells what becomes of them.

    A method that is called with ids that it does not know passes over them.  All are called from
    one thread, and may take their time.
    """

    @abstractmethod
    def __init__(self, cluster_name: str, *args: Any, **kwargs: Any) -> None:
        """Take the name of the cluster, and whatever else is needed to reach it."""

    @property
    @abstractmethod
    def worker_node_entry_point(self) -> str:
        """What runs on a node, with a command behind it; quoted as a shell wants it."""

    @property
    @abstractmethod
    def cluster_name(self) -> str: ...

    @abstractmethod
    def start(self) -> None:
        """Be ready to submit; once more is fine."""

    @abstractmethod
    def stop(self) -> None:
        """End what is running and let go of everything; `start` begins anew."""

    @abstractmethod
    def submit_to_batch_distributor(
        self, command: str, name: str, requested_resources: Mapping[str, Any]
    ) -> str:
        """Have ``worker_node_entry_point command`` run on a node; return the job's id.

        In its environment, `ClusterWorkerNode` finds that id.
        """

    def submit_array_to_batch_distributor(
        self,
        command: str,
        name: str,
        requested_resources: Mapping[str, Any],
        array_length: int,
    ) -> dict[int, str]:
        """Have the command run *array_length* times; return the id of each step, from 0.

        Raises:
            NotImplementedError: there are no arrays here; submit one by one.
        """
        # Two statements: a body of one would make it abstract for type checkers.
        why = f"{self.cluster_name} takes no arrays of {array_length}; submit one by one"
        raise NotImplementedError(why)

    @abstractmethod
    def get_submitted_or_running(self, distributor_ids: Iterable[str] | None = None) -> set[str]:
        """Return those of *distributor_ids* (of all, if None) that have not ended."""

    @abstractmethod
    def terminate_task_instances(self, distributor_ids: Iterable[str]) -> None:
        """Have these jobs end, whether they run or wait."""

    @abstractmethod
    def get_queueing_errors(self, distributor_ids: Iterable[str]) -> dict[str, str]:
        """Return, for those of *distributor_ids* that could not be run at all, why."""

    @abstractmethod
    def get_remote_exit_info(self, distributor_id: str) -> RemoteExitAnswer:
        """Return how a job ended.

        Raises:
            RemoteExitInfoNotAvailable: nothing is known about it.
        """

    def build_worker_node_command(
        self,
        task_instance_id: int | None = None,
        array_id: int | None = None,
        batch_number: int | None = None,
    ) -> str:
        """Return the command that runs one task, or one step of an array, on a node.

        Raises:
            ValueError: neither of the two is named.
        """
        if task_instance_id is not None:
            what = f"{WORKER_NODE_JOB} --task_instance_id {task_instance_id}"
        elif array_id is not None and batch_number is not None:
            what = f"{WORKER_NODE_ARRAY} --array_id {array_id} --batch_number {batch_number}"
        else:
            raise ValueError(
                "a worker node needs a task_instance_id, or an array_id and a batch_number"
            )
        name = shlex.quote(self.cluster_name)
        return f"{what} --expected_jobmon_version {__version__} --cluster_name {name}"


WORKER_NODE_JOB: Final = "worker_node_job"
WORKER_NODE_ARRAY: Final = "worker_node_array"


@runtime_checkable
class ClusterWorkerNode(Protocol):
    """A job as it sees itself, on the node it runs on."""

    @property
    @abstractmethod
    def distributor_id(self) -> str | None:
        """The id that the distributor knows this job by."""

    @property
    @abstractmethod
    def array_step_id(self) -> int | None:
        """Which step of an array this is, from 0; None if it is not one."""

    @abstractmethod
    def get_usage_stats(self) -> dict[str, str]:
        """Return what was used so far: ``maxrss`` (bytes), ``cpu`` (seconds), ``usage_str`` (JSON)."""

    @abstractmethod
    def get_exit_info(self, exit_code: int, error_msg: str) -> tuple[str, str]:
        """Return the `TaskInstanceStatus` and the text for a command that ended like this."""

    @abstractmethod
    def initialize_logfile(self, log_type: str, log_dir: str | None, name: str) -> str:
        """Return the path of the file that ``stdout`` or ``stderr`` goes to."""
