from __future__ import annotations

import itertools
import socket
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.faults.fuzzing import trying

from testloom.processes.channel import (
    MAX_PAYLOAD,
    BlockingChannel,
    Frames,
    ProtocolError,
    frame,
)

MESSAGES = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=50)), max_size=6)


def fed(chunks: list[bytes]) -> list[tuple[int, bytes]]:
    frames = Frames()
    return [found for chunk in chunks for found in frames.feed(chunk)]


@trying()
@given(messages=MESSAGES, cuts=st.lists(st.integers(0, 400), max_size=12))
def test_frames_come_out_whole_however_the_stream_is_cut(
    messages: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    stream = b"".join(frame(kind, payload) for kind, payload in messages)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]

    assert fed([stream[a:b] for a, b in itertools.pairwise(edges)]) == messages


@trying()
@given(messages=MESSAGES.filter(bool), at=st.integers(0), flip=st.integers(1, 255))
def test_a_damaged_byte_never_makes_another_message(
    messages: list[tuple[int, bytes]], at: int, flip: int
) -> None:
    stream = bytearray(b"".join(frame(kind, payload) for kind, payload in messages))
    at %= len(stream)
    stream[at] ^= flip
    frames = Frames()
    try:
        found = frames.feed(bytes(stream))
    except ProtocolError:
        return
    # Only its kind is not covered by the checksum, and a longer length waits for more.
    assert [payload for _kind, payload in found] == [p for _k, p in messages][: len(found)]


@trying()
@given(st.binary(min_size=12, max_size=200).filter(lambda data: not data.startswith(b"tl")))
def test_what_is_no_frame_is_refused(garbage: bytes) -> None:
    with pytest.raises(ProtocolError, match="not a frame"):
        Frames().feed(garbage)


def test_nothing_is_believed_after_damage() -> None:
    frames = Frames()
    with pytest.raises(ProtocolError):
        frames.feed(b"x" * 12)

    with pytest.raises(ProtocolError):
        frames.feed(frame(1, b"forged"))


def test_a_length_over_the_limit_is_refused_before_the_payload_comes() -> None:
    header = struct.pack(">2sBBII", b"tl", 1, 1, MAX_PAYLOAD + 1, zlib.crc32(b""))

    with pytest.raises(ProtocolError, match="not a frame"):
        Frames().feed(header)


def test_another_version_is_refused() -> None:
    with pytest.raises(ProtocolError, match="not a frame"):
        Frames().feed(struct.pack(">2sBBII", b"tl", 2, 1, 0, 0))


def test_a_payload_over_the_limit_is_not_sent() -> None:
    with pytest.raises(ProtocolError, match="over the limit"):
        frame(1, bytes(MAX_PAYLOAD + 1))


@pytest.mark.slow
def test_the_work_for_a_large_frame_grows_with_its_size_only() -> None:
    """A hundred thousand pieces of one frame: quadratic work would take minutes."""
    payload = bytes(20_000_000)
    stream = frame(7, payload)
    pieces = [stream[at : at + 200] for at in range(0, len(stream), 200)]

    assert fed(pieces) == [(7, payload)]


def test_a_channel_ends_with_the_last_whole_frame() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(frame(1, b"a") + frame(2, b"b") + frame(3, b"cut off")[:-1])
        theirs.shutdown(socket.SHUT_WR)
        channel = BlockingChannel(ours)

        assert [channel.wait_frame() for _ in range(3)] == [(1, b"a"), (2, b"b"), None]


def test_sending_to_nobody_is_an_error() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours, pytest.raises(OSError, match="pipe"):
        BlockingChannel(ours).send(1, b"x")
