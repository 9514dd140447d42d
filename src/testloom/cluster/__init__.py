"""The door for people with a cluster: a protocol for batch systems, and one that is this machine."""

from testloom.cluster.distributor import MultiprocessDistributor, local
from testloom.cluster.limited import LimitedSizeDict
from testloom.cluster.queue import MultiprocessQueue
from testloom.cluster.worker_node import MultiprocessWorkerNode
from testloom.model.cluster import (
    ClusterDistributor,
    ClusterQueue,
    ClusterWorkerNode,
    RemoteExitInfo,
    RemoteExitInfoNotAvailable,
    ReturnCodes,
    TaskInstanceStatus,
)

__all__ = [
    "ClusterDistributor",
    "ClusterQueue",
    "ClusterWorkerNode",
    "LimitedSizeDict",
    "MultiprocessDistributor",
    "MultiprocessQueue",
    "MultiprocessWorkerNode",
    "RemoteExitInfo",
    "RemoteExitInfoNotAvailable",
    "ReturnCodes",
    "TaskInstanceStatus",
    "local",
]
