"""The door for graphs of calls, ``{key: (callable, argument, ...)}``, as dagrunner and Dask have them."""

from testloom.graph.reading import Literal, Ref
from testloom.graph.schedulers import (
    SCHEDULERS,
    AsyncMP,
    GraphError,
    SingleThreaded,
    Threaded,
)

__all__ = ["SCHEDULERS", "AsyncMP", "GraphError", "Literal", "Ref", "SingleThreaded", "Threaded"]
