"""Decides which fragment runs when and in which slot, and drives workers from one event loop."""

from testloom.scheduling.scheduler import (
    MultiprocessScheduler,
    Phase,
    available_cores,
    compute_next_dyn_poll,
)
from testloom.scheduling.worker import Worker

__all__ = ["MultiprocessScheduler", "Phase", "Worker", "available_cores", "compute_next_dyn_poll"]
