"""Text or bytes that grow while a test runs, and how they are cut and shown."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T", str, bytes)


class Log(Generic[T]):
    """What a test or a program wrote: either text or raw bytes, never a mix.

    ``log += more`` appends; *more* must be of the kind that the log was made with.
    """

    __slots__ = ("log",)

    def __init__(self, content: T) -> None:
        self.log: T = content

    @property
    def is_binary(self) -> bool:
        return isinstance(self.log, bytes)

    @property
    def is_text(self) -> bool:
        return isinstance(self.log, str)

    def __iadd__(self, other: T) -> Log[T]:
        self.log = self.log + other
        return self

    def __bool__(self) -> bool:
        return bool(self.log)

    def __len__(self) -> int:
        return len(self.log)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Log) and bool(self.log == other.log)

    __hash__ = None  # type: ignore[assignment]  # mutable, so not hashable

    def __str__(self) -> str:
        """Return the content as text; bytes that are not printable ASCII are escaped."""
        return self.log if isinstance(self.log, str) else binary_repr(self.log)

    def __repr__(self) -> str:
        return f"Log({self.log!r})"


def binary_repr(binary: bytes) -> str:
    r"""Return *binary* as text: printable ASCII and line feeds as they are, ``\xNN`` else.

    A backslash is doubled, so that no two different byte strings look the same: neither a tab and
    blanks, nor line ends of two systems.

    >>> binary_repr(b"caf\xe9\n")
    'caf\\xe9\n'
    """
    if binary.isascii() and b"\\" not in binary:
        text = binary.decode("ascii")
        if all(c.isprintable() or c == "\n" for c in text):
            return text
    return "".join(_SHOWN[byte] for byte in binary)


_SHOWN = tuple(
    "\\\\" if byte == 0x5C else chr(byte) if 32 <= byte < 127 or byte == 0x0A else f"\\x{byte:02x}"
    for byte in range(256)
)


def truncated(output: str, line_count: int) -> str:
    """Return *output* cut to its first and last *line_count* lines; 0 means never cut."""
    if line_count <= 0:
        return output
    lines = output.splitlines(keepends=True)
    skipped = len(lines) - 2 * line_count
    if skipped <= 0:
        return output
    head, tail = lines[:line_count], lines[-line_count:]
    return f"{''.join(head)}\n... {skipped} lines skipped...\n{''.join(tail)}"
