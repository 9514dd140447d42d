"""What is run: a function with its arguments, or a process or thread that the user has made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


class SchedulerException(Exception):
    """A scheduler was asked for something that it cannot do, or not any more."""


class TaskFailedException(Exception):
    """A task failed; the message has its traceback between two lines."""

    def __init__(self, message: str, output: Sequence[Any] = ()) -> None:
        line = "=" * 30
        super().__init__(f"\n{line} task failed {line}\n{message.rstrip()}\n{line * 2}")
        self.output = list(output)
        """The outputs of all tasks in order, None for those that have none."""


class Task:
    """Something to be run, and what is known of it."""

    def __init__(self, subtasks: int = 0) -> None:
        if subtasks < 0:
            raise SchedulerException(f"a task cannot have {subtasks} subtasks")
        self.subtasks = subtasks
        """How many processes or threads it starts itself."""
        self.started = False
        self.finished = False
        """Whether it has an output."""
        self.failed = False
        self.output: Any = None
        self.error = ""
        """Its traceback, or why it has no output, if it failed."""

    @property
    def count(self) -> int:
        """For how many it counts."""
        return 1 + self.subtasks

    def is_running(self) -> bool:
        """Tell whether it has started and not ended."""
        return self.started and not (self.finished or self.failed)


class CallTask(Task):
    """A function and its arguments."""

    def __init__(
        self, target: Callable[..., Any], args: Sequence[Any], subtasks: int, *, in_thread: bool
    ) -> None:
        super().__init__(subtasks)
        self.target = target
        self.args = tuple(args)
        self.in_thread = in_thread

    def run(self, _values: dict[str, Any]) -> Any:
        """Call the function."""
        return self.target(*self.args)


class ProcessTask(Task):
    """A process that puts its output into *queue*, once.

    Args:
        process: a `multiprocessing.Process` that has not been started.
        queue: a `multiprocessing.Queue`.
        exc_queue: another one, into which the process puts a traceback if it fails.
        stdout_queue: another one, for text that is to be printed.
        subtasks: how many processes it starts itself.
    """

    def __init__(
        self,
        process: Any,
        queue: Any,
        exc_queue: Any = None,
        stdout_queue: Any = None,
        subtasks: int = 0,
    ) -> None:
        super().__init__(subtasks)
        self.process = process
        self.queue = queue
        self.exc_queue = exc_queue
        self.stdout_queue = stdout_queue


class ThreadTask(Task):
    """A thread that puts its output into *queue*, once.

    Args:
        thread: a `threading.Thread` that has not been started.
        queue: a `queue.Queue`.
        exc_queue: another one, into which the thread puts a traceback if it fails.
        subtasks: how many threads it starts itself.
    """

    def __init__(self, thread: Any, queue: Any, exc_queue: Any = None, subtasks: int = 0) -> None:
        super().__init__(subtasks)
        self.thread = thread
        self.queue = queue
        self.exc_queue = exc_queue


def shaped(output: Any) -> Any:
    """Return an output as users get it: a tuple of one is what is in it."""
    if type(output) is tuple and len(output) == 1:
        return output[0]
    return output


def has_large_array(value: Any, threshold: float) -> bool:
    """Tell whether *value*, or something in it, is an array of more than *threshold* elements."""
    parts = value if type(value) in (list, tuple) else [value]
    return any(
        hasattr(part, "__array_interface__") and getattr(part, "size", 0) > threshold
        for part in parts
    )
