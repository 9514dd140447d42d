"""Memory through which workers hand over results."""

import os
import struct

from testloom.processes.tray import PART_BYTES, Tray


def test_items_are_taken_once_and_in_the_order_in_which_they_were_put() -> None:
    tray = Tray(2)

    assert [tray.put(1, item) for item in (b"a", b"", b"ccc")] == [True, True, True]
    assert (tray.take(0), tray.take(1), tray.take(1)) == ([], [b"a", b"", b"ccc"], [])


def test_what_has_no_room_is_refused_and_what_lies_there_stays() -> None:
    tray = Tray(1)
    big = b"x" * (PART_BYTES - 8)

    assert tray.put(0, big)
    assert not tray.put(0, b"y")
    assert tray.take(0) == [big]
    assert not tray.put(0, big + b"z")
    assert tray.put(0, b"y")


def test_the_last_part_ends_where_the_memory_ends() -> None:
    tray = Tray(3)

    assert tray.put(2, b"x" * (PART_BYTES - 8))
    assert [len(item) for item in tray.take(2)] == [PART_BYTES - 8]


def test_a_forked_process_leaves_its_items_to_those_who_outlive_it() -> None:
    tray = Tray(1)
    pid = os.fork()
    if pid == 0:
        tray.put(0, b"last words")
        os._exit(9)
    os.waitpid(pid, 0)

    assert tray.take(0) == [b"last words"]


def test_an_item_that_was_not_finished_is_not_there() -> None:
    tray = Tray(1)
    tray.put(0, b"whole")
    # As if the worker had died between writing the item and noting that it is there.
    struct.pack_into("<I", tray._memory, 4 + 4 + len(b"whole"), 3)

    assert tray.take(0) == [b"whole"]


def test_what_was_scribbled_over_is_cut_off() -> None:
    tray = Tray(2)
    tray.put(0, b"first")
    tray.put(0, b"second")
    struct.pack_into("<I", tray._memory, 4 + 4 + len(b"first"), 2**31)
    assert tray.take(0) == [b"first"]

    tray.put(1, b"next door")
    struct.pack_into("<I", tray._memory, 0, 2**32 - 1)
    assert sum(map(len, tray.take(0))) < PART_BYTES
    assert tray.take(1) == [b"next door"]
