"""Decides which fragment runs when and in which slot, and drives workers from one event loop."""

from testloom.scheduling.resources import Needs
from testloom.scheduling.scheduler import (
    MultiprocessScheduler,
    Phase,
    available_cores,
    compute_next_dyn_poll,
)
from testloom.scheduling.worker import Worker

__all__ = [
    "MultiprocessScheduler",
    "Needs",
    "Phase",
    "Worker",
    "available_cores",
    "compute_next_dyn_poll",
]
