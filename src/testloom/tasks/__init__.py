"""The door for lists of tasks, as AsyncProcessScheduler has them: blocking, or awaited by a GUI."""

from testloom.tasks.scheduler import Scheduler
from testloom.tasks.task import (
    ProcessTask,
    SchedulerException,
    Task,
    TaskFailedException,
    ThreadTask,
)

__all__ = [
    "ProcessTask",
    "Scheduler",
    "SchedulerException",
    "Task",
    "TaskFailedException",
    "ThreadTask",
]
