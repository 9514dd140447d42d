"""What holds after every run, whatever has befallen it.

I1, that it does not hang, is seen to while it runs.  The numbers are those of the manual.
"""

from __future__ import annotations

import collections
import html.parser
import json
import os
import re
import select
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.faults.provoking import COOKIE, PATIENCE_S, Ran, controls
from tests.faults.scenario import Scenario

from testloom.journal import format as form
from testloom.journal.reader import Journal, read
from testloom.model.status import TestStatus
from testloom.processes import cgroup, tree

BAD = {TestStatus.FAIL, TestStatus.ERROR}


def check(scenario: Scenario, ran: Ran) -> None:
    """Check all of them."""
    if not scenario.leaves:
        nothing_is_left(ran, dies_later=not scenario.ends)
    assert "Traceback" not in ran.err, f"I8: a traceback of ours: {ran.err}"
    if not scenario.runs:
        left = [name for name in os.listdir(ran.root / "tmp") if name.startswith("testloom-")]
        assert left == [], "I6: a working directory is left"
        assert not ran.run_dir.exists()
        return
    if not scenario.keeps:
        assert ran.exit_code != 0, "I5: it says that all is well"
        return
    journal = read(str(ran.run_dir / "run.journal"))
    everything_is_accounted_for(scenario, ran, journal)
    the_exit_status_is_true(scenario, ran, journal)
    healthy_tests_pass(scenario, journal)
    nothing_was_written_elsewhere(scenario, ran)
    no_slot_was_shared(ran)
    what_was_shown_is_kept(ran, journal)
    if scenario.ends and scenario.stdout == "pipe":
        bad = [entry.name for entry in journal.entries if entry.status in BAD]
        assert [name for name in bad if name not in ran.out] == [], "I8: not shown"


def nothing_is_left(ran: Ran, *, dies_later: bool) -> None:
    """I2: no process of the run is there; it may take a moment if main was killed."""
    for pid in _with_cookie(ran.cookie):
        assert _has_ended(pid, PATIENCE_S if dies_later else 0), f"I2: process {pid} is left"
    # What has lost its parent has become a child of this process, which is a subreaper.
    while dies_later and (orphans := {*tree.children(os.getpid())} - ran.not_ours):
        orphan = orphans.pop()
        assert _has_ended(orphan, PATIENCE_S), f"I2: process {orphan} is left"
        os.waitpid(orphan, 0)


def is_swept(ran: Ran) -> None:
    """I2: what the run before has left is gone, too."""
    nothing_is_left(ran, dies_later=True)
    left = [name for name in os.listdir(ran.root / "tmp") if name.startswith("testloom-")]
    assert left == [], "I2: working directories are left"
    assert _groups_of_the_dead() == [], "I2: control groups are left"


def _groups_of_the_dead() -> list[str]:
    place = cgroup.place()
    makers = {name: cgroup.maker_of(name) for name in os.listdir(place)} if place else {}
    return [name for name, maker in makers.items() if maker is not None and maker.has_ended()]


def _has_ended(pid: int, within_s: float) -> bool:
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], within_s)[0])
    finally:
        os.close(fd)


def _with_cookie(cookie: str) -> Iterator[int]:
    word = f"{COOKIE}={cookie}".encode()
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                environ = Path("/proc", name, "environ").read_bytes()
            except OSError:
                continue
            if word in environ.split(b"\0"):
                yield int(name)


def everything_is_accounted_for(scenario: Scenario, ran: Ran, journal: Journal) -> None:
    """I3 and I4: the journal and all reports, which can be read, have the same results."""
    expected = sorted([*controls(scenario), *scenario.names])
    broken = {entry.test for entry in journal.entries if entry.slot < 0}
    assert {test.name for test in journal.tests} | broken == set(expected), "I3: selected"
    if not scenario.ends:
        return
    names = sorted(entry.name for entry in journal.entries)
    assert {entry.test for entry in journal.entries} == set(expected), "I3: without a result"
    assert not [name for name, n in collections.Counter(names).items() if n > 1], "I3: twice"
    junit = ET.fromstring((ran.run_dir / "junit.xml").read_bytes())
    cases = [case.get("name") for case in junit.iter("testcase")]
    assert len(cases) == len(names), "I3: JUnit"
    text = (ran.run_dir / "results.json").read_bytes().decode()
    results = json.loads(text, parse_constant=_no_constant)["results"]
    assert sorted(result["name"] for result in results) == names, "I3: JSON"
    html.parser.HTMLParser().feed((ran.run_dir / "report.html").read_bytes().decode())
    if scenario.stdout == "pipe":
        counts = re.search(r"(\d+) passed, (\d+) failed, (\d+) skipped\n\Z", ran.out)
        assert counts, f"I3: the console has no counts: {ran.out[-300:]}"
        assert sum(map(int, counts.groups())) == len(names), "I3: console"


def _no_constant(word: str) -> object:
    raise AssertionError(f"I4: {word} is not JSON")


def the_exit_status_is_true(scenario: Scenario, ran: Ran, journal: Journal) -> None:
    """I5: 0 only if all that was selected has a result, and none is bad."""
    settled = {entry.test for entry in journal.entries}
    aborted = [e for e in journal.entries if e.reason in ("run-aborted", "interrupted")]
    bad = [entry for entry in journal.entries if entry.status in BAD]
    if len(settled) < len(journal.tests) or bad or aborted:
        assert ran.exit_code != 0, "I5: it says that all is well"


def healthy_tests_pass(scenario: Scenario, journal: Journal) -> None:
    """I6: those beside the faulty ones do not notice."""
    status = {entry.name: entry for entry in journal.entries}
    for name in controls(scenario):
        entry = status.get(name)
        if scenario.stops and (entry is None or entry.status is TestStatus.SKIP):
            continue
        assert entry is not None, f"I6: {name} has no result"
        assert entry.status is TestStatus.PASS, f"I6: {entry}"


def nothing_was_written_elsewhere(scenario: Scenario, ran: Ran) -> None:
    """I6: no file but in the output and the working directory."""
    known = {"suite.py", "testloom.toml", "tests", "tmp", "out", "here", "go_on", "stderr"}
    known |= {".testloom", "__pycache__", *(path.split("/")[0] for path in scenario.files)}
    assert set(os.listdir(ran.root)) - known == set()


def no_slot_was_shared(ran: Ran) -> None:
    """I7: a slot is given out again only when what ran in it has ended."""
    busy: dict[int, str] = {}
    path = ran.run_dir / "run.journal"
    with open(path, "rb") as file:
        for _, data in form.records_in(file, path.stat().st_size):
            record = form.decode(data)
            if isinstance(record, form.FragmentStart):
                assert record.slot not in busy, f"I7: {record.uid} and {busy[record.slot]}"
                busy[record.slot] = record.uid
            elif isinstance(record, form.FragmentEnd):
                assert busy.pop(record.slot) == record.uid, "I7: another one ended"


def what_was_shown_is_kept(ran: Ran, journal: Journal) -> None:
    """I9: each result that was shown is in the journal, unless it was said before that it is full."""
    promised = ran.out.partition("the results cannot be kept")[0]
    shown = re.findall(r"^── (?:FAIL|ERROR) (\S+)", promised, re.MULTILINE)
    lost = set(shown) - {entry.name for entry in journal.entries}
    assert not lost, f"I9: {lost} of {ran.out}"
