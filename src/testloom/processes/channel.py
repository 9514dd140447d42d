"""Messages between two processes over a stream socket: framed, checked, bounded.

A frame is a header and a payload::

    magic "tl" | version | kind | length of payload | CRC-32 of payload | payload

What the payload means is the business of those who talk.  A frame that is cut off by the end of
the stream is no frame: whoever reads sees only that the other side has gone.
"""

from __future__ import annotations

import socket
import struct
import zlib
from typing import Final

VERSION: Final = 1
MAX_PAYLOAD: Final = 64 * 1024 * 1024
_HEADER: Final = struct.Struct(">2sBBII")
_MAGIC: Final = b"tl"
_READ_BYTES: Final = 1 << 16


class ProtocolError(Exception):
    """What came over the channel is not a frame of ours."""


def frame(kind: int, payload: bytes) -> bytes:
    """Return *payload* as a frame of *kind* (0 to 255).

    Raises:
        ProtocolError: the payload is too long.
    """
    if len(payload) > MAX_PAYLOAD:
        raise ProtocolError(f"a message of {len(payload)} bytes is over the limit of {MAX_PAYLOAD}")
    return _HEADER.pack(_MAGIC, VERSION, kind, len(payload), zlib.crc32(payload)) + payload


class Frames:
    """Cuts a stream of bytes into frames."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Add *data*; return the kind and payload of each frame that is complete now.

        Raises:
            ProtocolError: the stream is not made of frames; it cannot be used any more.
        """
        buffer = self._buffer + data if self._buffer else data
        found: list[tuple[int, bytes]] = []
        at, end = 0, len(buffer)
        while end - at >= _HEADER.size:
            magic, version, kind, length, checksum = _HEADER.unpack_from(buffer, at)
            if magic != _MAGIC or version != VERSION or length > MAX_PAYLOAD:
                raise ProtocolError(f"not a frame: {buffer[at : at + _HEADER.size]!r}")
            start = at + _HEADER.size
            if end - start < length:
                break
            payload = buffer[start : start + length]
            if zlib.crc32(payload) != checksum:
                raise ProtocolError("a frame is damaged")
            found.append((kind, payload))
            at = start + length
        self._buffer = buffer[at:]
        return found


class BlockingChannel:
    """The end of a channel that has nothing else to do than to wait for the next frame."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._frames = Frames()
        self._ready: list[tuple[int, bytes]] = []

    def send(self, kind: int, payload: bytes) -> None:
        """Send one frame.

        Raises:
            OSError: the other side has gone.
            ProtocolError: the payload is too long.
        """
        self._sock.sendall(frame(kind, payload))

    def wait_frame(self) -> tuple[int, bytes] | None:
        """Return the next frame; None once the other side has gone."""
        while not self._ready:
            data = self._sock.recv(_READ_BYTES)
            if not data:
                return None
            self._ready = self._frames.feed(data)
        return self._ready.pop(0)
