from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testloom.processes.capture import Capture


def captured(keep: int, *chunks: bytes) -> bytes:
    capture = Capture(keep)
    for chunk in chunks:
        capture.add(chunk)
    return capture.content()


def test_what_fits_is_kept_as_it_came() -> None:
    assert captured(10, b"abc", b"", b"defghij") == b"abcdefghij"


def test_a_single_chunk_is_not_copied() -> None:
    chunk = b"x" * 1000

    assert captured(1000, chunk) is chunk


def test_the_middle_is_dropped_and_counted() -> None:
    assert captured(3, b"abcdefgh") == b"abc\n... 2 bytes dropped ...\nfgh"


def test_nothing_is_said_to_be_dropped_where_head_and_tail_meet() -> None:
    assert captured(3, b"ab", b"cd", b"ef") == b"abcdef"


def test_one_byte_more_than_fits_is_one_byte_dropped() -> None:
    assert captured(3, b"abcd", b"efg") == b"abc\n... 1 bytes dropped ...\nefg"


def test_nothing_may_be_kept_at_all() -> None:
    assert captured(0, b"abc", b"d") == b"\n... 4 bytes dropped ...\n"


def test_it_can_be_used_again() -> None:
    capture = Capture(2)
    capture.add(b"abcdef")
    capture.clear()
    capture.add(b"x")

    assert (capture.total, capture.content()) == (1, b"x")


@given(keep=st.integers(0, 40), chunks=st.lists(st.binary(max_size=20), max_size=20))
def test_head_tail_and_count_do_not_depend_on_how_it_came(keep: int, chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    dropped = len(whole) - 2 * keep
    if dropped > 0:
        expected = b"%b\n... %d bytes dropped ...\n%b" % (
            whole[:keep],
            dropped,
            whole[len(whole) - keep :],
        )
    else:
        expected = whole
    assert captured(keep, *chunks) == expected


@pytest.mark.parametrize("size", [1, 2, 7])
def test_small_pieces_take_no_more_memory_than_large_ones(size: int) -> None:
    capture = Capture(1 << 16)
    for _ in range(1 << 18):
        capture.add(b"abcdefg"[:size])
    pieces = [*capture._head, *capture._tail]

    assert sum(map(sys.getsizeof, pieces)) < 4 * (1 << 16)
    assert len(pieces) < 20
