from __future__ import annotations

import multiprocessing
import os
import pickle
import struct
from types import SimpleNamespace
from typing import Any

import pytest

from testloom.processes.queue_pipe import QueuePipe


def test_objects_of_a_queue_arrive_whatever_their_size(nothing_is_left: None) -> None:
    context = multiprocessing.get_context("fork")
    queue: Any = context.SimpleQueue()
    pipe = QueuePipe(queue)
    assert pipe.objects() == []
    child = context.Process(target=lambda: [queue.put(x) for x in ("a", b"b" * 300_000, None)])
    child.start()
    found: list[Any] = []
    while len(found) < 3:
        found += pipe.objects()
    child.join()
    child.close()
    queue.close()

    assert found == ["a", b"b" * 300_000, None]


@pytest.mark.parametrize("long", [False, True])
def test_a_piece_of_an_object_is_no_object_yet(long: bool) -> None:
    reader, writer = os.pipe()
    pipe = QueuePipe(SimpleNamespace(_reader=SimpleNamespace(fileno=lambda: reader)))
    data = pickle.dumps(["some", "thing"])
    size = struct.pack("!iQ", -1, len(data)) if long else struct.pack("!i", len(data))
    found = []
    for byte in size + data + size[:3]:
        os.write(writer, bytes([byte]))
        found.append(pipe.objects())
    os.close(writer)
    found.append(pipe.objects())
    os.close(reader)

    assert [items for items in found if items] == [[["some", "thing"]]]


def test_a_queue_without_a_pipe_is_none() -> None:
    with pytest.raises(AttributeError):
        QueuePipe(object())
