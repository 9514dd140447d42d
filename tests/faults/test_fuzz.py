"""Files that others have written are read, or refused in one line, whatever is in them.

What is made up here is near to what is right: a real file in which something was changed, or one of the right form whose
values are any.  The loader of YAML, the decoder of frames and expressions have such tests in their own rooms.
"""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.faults.fuzzing import trying

from testloom.compat.e3_modules.index import ReportIndex
from testloom.compat.e3_modules.xunit_import import XUnitImporter
from testloom.journal.archive import HEAD, JOURNAL, Archive
from testloom.journal.merging import merge
from testloom.journal.reader import read, summary_of
from testloom.model.errors import UsageError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=10,
)
RECORDS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            [
                *("run-start", "tests", "edges", "fragment-start", "fragment-end", "result"),
                *("attempt", "carried", "test-end", "run-end", "nothing-known"),
            ]
        )
        | VALUES
    },
    optional=dict.fromkeys(
        (
            *("t", "format", "run", "tests", "uids", "after", "uid", "test", "slot", "attempt"),
            *("end", "wall_s", "cpu_s", "name", "status", "record", "settles", "duration_s"),
            *("stopped", "exit_code", "selection", "words", "failure_reasons", "info"),
        ),
        VALUES,
    ),
)
CHANGES = st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=6)


def changed(data: bytes, changes: list[tuple[int, int]]) -> bytes:
    found = bytearray(data)
    for at, byte in changes:
        found[at % len(found)] = byte
    return bytes(found)


def journal_of(records: list[Any]) -> bytes:
    lines = [json.dumps(record).encode() for record in records]
    return b"".join(b"%010d %08x %s\n" % (len(line), zlib.crc32(line), line) for line in lines)


def read_all(path: Path) -> None:
    with contextlib.suppress(UsageError):
        summary = summary_of(read(str(path)))
        for entry in summary.entries:
            with contextlib.suppress(OSError):
                summary.load(entry)
        list(summary.spans())


@trying(200)
@given(records=st.lists(RECORDS, max_size=6))
def test_a_journal_of_records_of_any_content_is_read_or_refused(
    tmp_path: Path, records: list[Any]
) -> None:
    start = {"type": "run-start", "t": 0.0, "format": 2, "run": {}}
    path = tmp_path / "run.journal"
    for content in (records, [start, *records]):
        path.write_bytes(journal_of(content))
        read_all(path)


@trying(100)
@given(data=st.binary(max_size=300))
def test_any_bytes_are_a_journal_or_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "run.journal"
    path.write_bytes(data)
    read_all(path)


def an_archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(HEAD, json.dumps({"format": 1, "run_id": "r", "suite": "s"}))
        file.writestr(JOURNAL, journal_of([{"type": "run-start", "t": 0.0, "format": 2}]) * 5)
    return buffer.getvalue()


@trying(300)
@given(changes=CHANGES, cut=st.none() | st.integers(0, 400))
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_that_was_damaged_is_read_or_refused(
    tmp_path: Path, changes: list[tuple[int, int]], cut: int | None
) -> None:
    path = tmp_path / "run.zip"
    path.write_bytes(changed(an_archive(), changes)[:cut])
    with contextlib.suppress(UsageError), contextlib.closing(Archive(str(path))) as archive:
        with archive.journal() as stream:
            assert len(stream.read()) <= archive.size
        merge([str(path)], str(tmp_path / "merged.zip"), partial=True)


@trying(200)
@given(
    entries=st.lists(
        st.fixed_dictionaries(
            {"test_name": VALUES, "status": st.sampled_from(["PASS", "FAIL", "SO"]) | VALUES},
            optional=dict.fromkeys(("msg", "failure_reasons", "time", "info", "filename"), VALUES),
        )
        | VALUES,
        max_size=3,
    ),
    magic=st.just(ReportIndex.INDEX_MAGIC) | VALUES,
    whole=VALUES,
)
def test_an_index_of_any_content_is_read_or_refused(
    tmp_path: Path, entries: list[Any], magic: Any, whole: Any
) -> None:
    for content in ({"magic": magic, "duration": whole, "entries": entries}, whole):
        (tmp_path / ReportIndex.INDEX_FILENAME).write_text(json.dumps(content))
        with contextlib.suppress(OSError, AssertionError):
            ReportIndex.read(str(tmp_path))


TAGS = st.sampled_from(
    ["testsuites", "testsuite", "testcase", "failure", "error", "skipped", "system-out", "odd"]
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["name", "classname", "time", "message", "type"]),
    st.sampled_from(["", "a", "../../x", "nan", "1e999", "-1", "x y", "é", "0.5"]),
    max_size=3,
)
ELEMENTS: st.SearchStrategy[Any] = st.recursive(
    st.builds(lambda tag, attributes: (tag, attributes, []), TAGS, ATTRIBUTES),
    lambda inner: st.tuples(TAGS, ATTRIBUTES, st.lists(inner, max_size=3)),
    max_leaves=8,
)


def xml_of(element: Any) -> str:
    tag, attributes, children = element
    words = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f"<{tag}{words}>{''.join(map(xml_of, children))}</{tag}>"


@trying(200)
@given(element=ELEMENTS, is_whole=st.booleans(), changes=st.none() | CHANGES)
def test_a_report_of_any_form_is_imported_or_refused(
    tmp_path: Path, element: Any, is_whole: bool, changes: list[tuple[int, int]] | None
) -> None:
    text = xml_of(element if is_whole else ("testsuites", {}, [("testsuite", {}, [element])]))
    data = text.encode()
    path = tmp_path / "report.xml"
    path.write_bytes(data if changes is None else changed(data, changes))
    out = tmp_path / "results"
    out.mkdir(exist_ok=True)
    index = ReportIndex(str(out))
    with contextlib.suppress(ValueError):
        XUnitImporter(index).run(str(path))
        index.write()
        assert len(ReportIndex.read(str(out)).entries) == len(index.entries)
    assert {*tmp_path.iterdir()} == {path, out}
