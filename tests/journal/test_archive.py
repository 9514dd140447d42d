"""Archives of runs: what they hold comes back, and what is no archive does no harm."""

from __future__ import annotations

import contextlib
import os
import stat
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from testloom.journal.archive import HEAD, JOURNAL, Archive, is_archive, pack, unpacked
from testloom.journal.format import PlannedTest
from testloom.journal.merging import merge
from testloom.journal.reader import read, summary_of
from testloom.journal.rundir import find_run
from testloom.journal.spans import spans_in
from testloom.journal.writer import JournalWriter
from testloom.model.errors import UsageError
from testloom.model.result import ResultRecord
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo, RunPart
from testloom.processes.clock import ManualClock

RUN = RunInfo(
    run_id="r1",
    suite="calc",
    root="/calc",
    output_dir="/calc/out",
    command=(),
    jobs=2,
    started_at=9.0,
    host="h1",
)


def archive_of(
    path: Path,
    names: Sequence[str],
    *,
    ended: bool = True,
    log: str = "log of ",
    status: TestStatus = TestStatus.PASS,
    **info: object,
) -> str:
    """Make *path* the archive of a run in which each test has two fragments, in slot 1."""
    run = msgspec.structs.replace(RUN, selected=len(names), **info)
    journal = path.with_suffix(".journal")
    writer = JournalWriter(str(journal), ManualClock())
    edges: dict[str, frozenset[str]] = {}
    for name in names:
        edges |= {f"{name}.a": frozenset(), f"{name}.b": frozenset({f"{name}.a"})}
    writer.run_started(run, [PlannedTest(name) for name in names], edges)
    for name in names if ended else names[:-1]:
        for step in ("a", "b"):
            writer.fragment_started(f"{name}.{step}", name, 1)
            writer.fragment_ended(f"{name}.{step}", 1, "Returned", 0.5, 0.25)
        entry = ResultEntry(name=name, test=name, status=status, slot=1)
        record = ResultRecord(name=name, status=status.name, log=f"{log}{name}")
        writer.result(entry, msgspec.json.encode(record), settles=True)
    if ended:
        writer.run_ended(duration_s=1.5, exit_code=int(status.is_bad))
    writer.close()
    pack(str(journal), str(path), run_id=run.run_id, suite=run.suite)
    journal.unlink()
    return str(path)


def test_an_archive_is_a_run_wherever_one_is_named(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "run.zip", ["a", "b"])
    run_dir = find_run(str(tmp_path / "nowhere"), path)
    summary = summary_of(read(os.path.join(run_dir, JOURNAL)))
    assert [summary.load(entry).log for entry in summary.entries] == ["log of a", "log of b"]
    assert find_run("", path) == run_dir


def test_equal_runs_make_equal_archives(tmp_path: Path) -> None:
    (tmp_path / "run.journal").write_bytes(b"content\n")
    for name in ("a.zip", "b.zip"):
        pack(str(tmp_path / "run.journal"), str(tmp_path / name), run_id="r", suite="s")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


@pytest.mark.parametrize(
    ("reference", "expected"),
    [("run.zip", True), ("x/run.zip", True), ("latest", False), ("20261121-1", False)],
)
def test_archives_are_told_from_names_of_runs(reference: str, expected: bool) -> None:
    assert is_archive(reference) is expected


def zip_of(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members:
            file.writestr(name, data)
    return str(path)


GOOD_HEAD = (HEAD, b'{"format":1}')


def a_link() -> zipfile.ZipInfo:
    link = zipfile.ZipInfo(JOURNAL)
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    return link


def too_large(path: Path) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        file.writestr(*GOOD_HEAD)
        with file.open(JOURNAL, "w") as stream:
            for _ in range(80):
                stream.write(bytes(1 << 20))
    return str(path)


def encrypted(path: Path) -> str:
    """Make an archive that says that its journal is encrypted."""
    data = bytearray(Path(zip_of(path, GOOD_HEAD, (JOURNAL, b"x"))).read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 8] |= 1
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda p: zip_of(p, GOOD_HEAD, (JOURNAL, b""), ("../x", b"")), "holds '../x'"),
        (lambda p: zip_of(p, GOOD_HEAD, ("/etc/passwd", b"")), "holds '/etc/passwd'"),
        (lambda p: zip_of(p, GOOD_HEAD), "lacks parts"),
        (lambda p: zip_of(p, GOOD_HEAD, (a_link(), b"/etc/passwd")), "run.journal is no file"),
        (encrypted, "run.journal is encrypted"),
        (too_large, "it would become 83886080 bytes, which no archive of a run does"),
        (lambda p: zip_of(p, (HEAD, b"[]"), (JOURNAL, b"")), "testloom-run.json makes no sense"),
        (lambda p: zip_of(p, (HEAD, bytes(70000)), (JOURNAL, b"")), "it would become 0 bytes"),
    ],
)
def test_what_is_no_archive_of_a_run_is_refused(
    tmp_path: Path, make: Callable[[Path], str], what: str
) -> None:
    path = make(tmp_path / "x.zip")
    with pytest.raises(UsageError) as caught:
        Archive(path)
    assert str(caught.value).startswith(f"{path}: is no archive of a run: {what}")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_second_journal_is_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "x.zip", GOOD_HEAD, (JOURNAL, b""), (JOURNAL, b""))
    with pytest.raises(UsageError, match=r"is no archive of a run: holds 'run.journal' twice"):
        Archive(path)


def test_what_is_no_zip_file_and_what_is_newer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"no zip")
    with pytest.raises(UsageError, match=r"x\.zip: cannot be read as .* it is no zip file$"):
        Archive(str(tmp_path / "x.zip"))
    with pytest.raises(UsageError, match=r"cannot be read as .*: No such file or directory$"):
        unpacked(str(tmp_path / "gone.zip"))
    newer = zip_of(tmp_path / "new.zip", (HEAD, b'{"format":2}'), (JOURNAL, b""))
    with pytest.raises(UsageError, match=r"newer testloom \(archive format 2, this one reads"):
        Archive(newer)


def test_a_journal_that_is_longer_than_it_says_or_damaged_is_refused(tmp_path: Path) -> None:
    good = Path(archive_of(tmp_path / "good.zip", ["a", "b"])).read_bytes()
    sizes = good.rindex(b"PK\x01\x02")
    for name, at, value in (
        ("long", sizes + 24, 5),
        ("torn", good.index(JOURNAL.encode()) + 60, 0xFF),
    ):
        data = bytearray(good)
        data[at] = value if data[at] != value else value ^ 1
        path = tmp_path / f"{name}.zip"
        path.write_bytes(data)
        with pytest.raises(UsageError, match=r"is damaged|no archive of a run"):
            unpacked(str(path))


# Merging


def test_shards_merge_to_the_run_that_they_are_the_parts_of(tmp_path: Path) -> None:
    paths = [
        archive_of(tmp_path / "1.zip", ["a", "c"], shard="1/2", shard_plan="p", run_id="r1"),
        archive_of(
            tmp_path / "2.zip",
            ["b"],
            shard="2/2",
            shard_plan="p",
            run_id="r2",
            host="h2",
            started_at=5.0,
            status=TestStatus.FAIL,
        ),
    ]
    merge(paths, str(tmp_path / "merged.zip"))
    run_dir = unpacked(str(tmp_path / "merged.zip"))
    journal = read(os.path.join(run_dir, JOURNAL))
    summary = summary_of(journal)
    assert [(e.name, e.status.name, e.slot, summary.load(e).log) for e in summary.entries] == [
        ("a", "PASS", 1, "log of a"),
        ("c", "PASS", 1, "log of c"),
        ("b", "FAIL", 3, "log of b"),
    ]
    assert (journal.complete, journal.exit_code, journal.settled) == (True, 1, {"a", "b", "c"})
    run = summary.run
    assert (run.run_id, run.jobs, run.selected, run.host) == ("r2", 4, 3, "h1, h2")
    assert (run.shard, run.shard_plan, run.duration_s) == ("", "", 1.5)
    assert run.parts == (
        RunPart(name="1/2", jobs=2, host="h1"),
        RunPart(name="2/2", jobs=2, host="h2"),
    )
    assert [run.part_of(slot) for slot in (-1, 0, 1, 2, 3, 4)] == [-1, 0, 0, 1, 1, -1]
    spans = [(s.uid, s.slot, s.after) for s in spans_in(journal.path)]
    assert spans[-2:] == [("b.a", 3, ()), ("b.b", 3, ("b.a",))]
    assert len(spans) == 6


def test_a_merged_run_can_be_merged_again_and_knows_all_its_parts(tmp_path: Path) -> None:
    paths = [
        archive_of(tmp_path / f"{name}.zip", [name], run_id=f"r{name}", jobs=jobs)
        for name, jobs in (("a", 2), ("b", 3), ("c", 4))
    ]
    merge(paths[:2], str(tmp_path / "ab.zip"))

    run = merge([str(tmp_path / "ab.zip"), paths[2]], str(tmp_path / "abc.zip"))

    assert [(part.name, part.jobs) for part in run.parts] == [("ra", 2), ("rb", 3), ("rc", 4)]


def test_a_run_that_was_cut_off_leaves_a_merged_run_that_was(tmp_path: Path) -> None:
    paths = [
        archive_of(tmp_path / "1.zip", ["a"]),
        archive_of(tmp_path / "2.zip", ["b", "c"], ended=False),
    ]
    merge(paths, str(tmp_path / "merged.zip"))
    summary = summary_of(read(os.path.join(unpacked(str(tmp_path / "merged.zip")), JOURNAL)))
    assert [(e.name, e.status.name) for e in summary.entries] == [
        ("a", "PASS"),
        ("b", "PASS"),
        ("c", "SKIP"),
    ]


def test_what_does_not_belong_together_is_not_merged(tmp_path: Path) -> None:
    one = archive_of(tmp_path / "one.zip", ["a"], shard="1/3", shard_plan="p")
    cases = {
        "is of another suite": (["x"], {"suite": "other"}),
        "no shard": (["x"], {}),
        "other division": (["x"], {"shard": "2/3", "shard_plan": "q"}),
        "same number": (["x"], {"shard": "1/3", "shard_plan": "p"}),
        "same test": (["x", "a"], {"shard": "2/3", "shard_plan": "p"}),
        "missing": (["x"], {"shard": "2/3", "shard_plan": "p"}),
    }
    messages = {}
    for case, (names, info) in cases.items():
        two = archive_of(tmp_path / "two.zip", names, **info)  # type: ignore[arg-type]  # as above
        with pytest.raises(UsageError) as caught:
            merge([one, two], str(tmp_path / "merged.zip"), partial=case == "same test")
        messages[case] = str(caught.value).replace(str(tmp_path) + "/", "")
    assert messages == {
        "is of another suite": "two.zip: is a run of suite 'other', and one.zip of 'calc';"
        " merge runs of one suite",
        "no shard": "two.zip: only some of the runs are shards; merge the shards alone",
        "other division": "two.zip: is shard 2/3 of another division than one.zip; the tests, or"
        " the times they were divided by, differ: give all shards the same --shard-times",
        "same number": "two.zip: is shard 1/3, and so is one.zip",
        "same test": "two.zip: test 'a' is in one.zip, too; merge runs that have no test in common",
        "missing": "shard 3/3 is missing; name its archive, or give --partial",
    }
    assert not (tmp_path / "merged.zip").exists()
    two = archive_of(tmp_path / "two.zip", ["x"], shard="2/3", shard_plan="p")
    merge([one, two], str(tmp_path / "merged.zip"), partial=True)
    with contextlib.closing(Archive(str(tmp_path / "merged.zip"))) as merged:
        assert (merged.head.run_id, merged.head.suite) == ("r1", "calc")


def test_an_archive_without_a_run_is_not_merged(tmp_path: Path) -> None:
    empty = zip_of(tmp_path / "x.zip", GOOD_HEAD, (JOURNAL, b""))
    with pytest.raises(UsageError, match=r"x\.zip: its journal holds no run; archive that run"):
        merge([empty], str(tmp_path / "merged.zip"))
