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
_BROKEN: Final = -1


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
    """Cuts a stream of bytes into frames; the time it takes grows only with their size."""

    __slots__ = ("_pieces", "_size", "_wanted")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        """What has come of a frame that is not complete."""
        self._size = 0
        self._wanted = _HEADER.size
        """How much has to be there before it is worth looking."""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Add *data*; return the kind and payload of each frame that is complete now.

        Raises:
            ProtocolError: the stream is not made of frames; it cannot be used any more.
        """
        if self._wanted == _BROKEN:
            raise ProtocolError("what follows damage cannot be trusted")
        if self._pieces:
            self._pieces.append(data)
            self._size += len(data)
            if self._size < self._wanted:
                return []
            data = b"".join(self._pieces)
            self._pieces.clear()
        found: list[tuple[int, bytes]] = []
        at, end, wanted = 0, len(data), _HEADER.size
        while end - at >= wanted:
            magic, version, kind, length, checksum = _HEADER.unpack_from(data, at)
            if magic != _MAGIC or version != VERSION or length > MAX_PAYLOAD:
                self._wanted = _BROKEN
                raise ProtocolError(f"not a frame: {data[at : at + _HEADER.size]!r}")
            start = at + _HEADER.size
            if end - start < length:
                wanted = _HEADER.size + length
                break
            payload = data[start : start + length]
            if zlib.crc32(payload) != checksum:
                self._wanted = _BROKEN
                raise ProtocolError("a frame is damaged")
            found.append((kind, payload))
            at = start + length
        if at < end:
            self._pieces.append(data[at:] if at else data)
            self._size, self._wanted = end - at, wanted
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
