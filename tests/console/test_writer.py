"""The writer survives whatever the stream and its reader do."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path
from typing import TextIO

import pytest

from testloom.console.writer import Writer


def test_what_others_printed_before_comes_before(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with path.open("w", encoding="utf-8") as stream:
        stream.write("one\n")
        Writer(stream).write("two\n")
        assert path.read_text() == "one\ntwo\n"


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("ascii", b"caf\\xe9 \\u2500 \\udc80\n"),
        ("latin-1", b"caf\xe9 \\u2500 \\udc80\n"),
        ("utf-8", b"caf\xc3\xa9 \xe2\x94\x80 \\udc80\n"),
    ],
)
def test_characters_that_the_stream_cannot_show_are_escaped(
    tmp_path: Path, encoding: str, data: bytes
) -> None:
    path = tmp_path / "out"
    with path.open("w", encoding=encoding) as stream:
        writer = Writer(stream)
        writer.write("caf\u00e9 \u2500 \udc80\n")
    assert (path.read_bytes(), writer.broken) == (data, False)


def test_a_stream_without_a_descriptor_is_written_to() -> None:
    stream = io.StringIO()
    writer = Writer(stream)
    writer.write("a \udc80\n")
    assert (stream.getvalue(), writer.broken, writer.isatty()) == ("a \\udc80\n", False, False)


def test_without_a_stream_nothing_is_written_and_nothing_is_wrong() -> None:
    writer = Writer(None)
    writer.write("lost")
    assert (writer.broken, writer.isatty(), writer.fileno()) == (False, False, None)


def test_a_reader_that_went_away_is_noticed_and_told() -> None:
    reader, fd = os.pipe()
    with os.fdopen(fd, "w", encoding="utf-8") as stream:
        writer = Writer(stream)
        writer.write("one\n")
        assert (writer.broken, writer.why) == (False, "")
        os.close(reader)
        writer.write("two\n")
        writer.write("three\n")
        assert (writer.broken, writer.why, writer.has_left) == (True, "Broken pipe", True)


def test_a_full_disk_is_noticed() -> None:
    with open("/dev/full", "w", encoding="utf-8") as stream:
        writer = Writer(stream)
        writer.write("one\n")
    assert writer.why == "No space left on device"


def test_a_stream_that_was_closed_is_noticed() -> None:
    stream = io.StringIO()
    writer = Writer(stream)
    stream.close()
    writer.write("one\n")
    assert writer.why == "I/O operation on closed file"


def test_a_pipe_that_somebody_made_non_blocking_is_waited_for() -> None:
    reader, fd = os.pipe()
    os.set_blocking(fd, False)
    got: list[bytes] = []
    stream: TextIO = os.fdopen(fd, "w", encoding="utf-8")

    def read() -> None:
        while data := os.read(reader, 4096):
            got.append(data)

    text = "0123456789abcde\n" * 20_000  # several times what a pipe holds
    thread = threading.Thread(target=read)
    thread.start()
    with stream:
        writer = Writer(stream)
        writer.write(text)
    thread.join()
    os.close(reader)
    assert (b"".join(got).decode(), writer.broken) == (text, False)
