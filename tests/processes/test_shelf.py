from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from testloom.processes.shelf import Shelf, Shelved


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=30)), max_size=40))
def test_each_piece_is_there_until_it_is_removed(steps: list[tuple[bool, bytes]]) -> None:
    shelf = Shelf()
    kept: list[tuple[Shelved, bytes]] = []
    for removes, data in steps:
        if removes and kept:
            piece, _ = kept.pop(len(data) % len(kept))
            shelf.remove(piece)
        else:
            kept.append((shelf.put(data), data))
        assert [shelf.get(piece) for piece, _ in kept] == [data for _, data in kept]
    for piece, _ in kept:
        shelf.remove(piece)
    size = os.fstat(shelf._file.fileno()).st_size if shelf._file else 0
    shelf.close()
    assert size == 0


def test_the_room_of_what_was_removed_is_used_again() -> None:
    shelf = Shelf()
    first, _second = shelf.put(b"a" * 100), shelf.put(b"b" * 100)
    shelf.remove(first)

    assert [shelf.put(b"c" * 60), shelf.put(b"d" * 40), shelf.put(b"e")] == [
        Shelved(0, 60),
        Shelved(60, 40),
        Shelved(200, 1),
    ]
    shelf.close()


def test_one_that_was_never_used_has_no_file() -> None:
    Shelf().close()
