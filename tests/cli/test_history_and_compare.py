"""The commands that ask earlier runs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest

from testloom.cli.main import main
from testloom.journal.format import PlannedTest
from testloom.journal.history import Kept
from testloom.journal.history_access import HistoryAccess
from testloom.journal.rundir import open_run_dir
from testloom.journal.stored import stored_run
from testloom.journal.writer import JournalWriter
from testloom.model.result import ResultRecord
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo
from testloom.processes.clock import ManualClock

PASS, FAIL, SKIP = TestStatus.PASS, TestStatus.FAIL, TestStatus.SKIP


@pytest.fixture(autouse=True)
def _in_own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("TESTLOOM_")]:
        monkeypatch.delenv(name)


def a_run(
    at: float,
    results: dict[str, tuple[TestStatus, float]],
    *,
    suite: str = "s",
    branch: str = "main",
    keep: bool = True,
) -> str:
    """Leave what a run leaves that started at *at*; return its id."""
    clock = ManualClock(wall=at)
    with open_run_dir("out", clock) as place:
        info = RunInfo(
            run_id=place.run_id,
            suite=suite,
            root=os.getcwd(),
            output_dir=place.path,
            command=("testloom",),
            jobs=1,
            started_at=at,
            commit="0123456789abcdef",
            branch=branch,
        )
        writer = JournalWriter(place.journal, clock)
        writer.run_started(info, [PlannedTest(name) for name in results])
        for name, (status, spent) in results.items():
            why = "diff" if status is FAIL else ""
            entry = ResultEntry(name=name, test=name, status=status, time_s=spent, reason=why)
            writer.result(entry, msgspec.json.encode(ResultRecord(name=name, status=status.name)))
        writer.run_ended(duration_s=2.5)
        writer.close()
    if keep:
        access = HistoryAccess(place="out/history.db", suite=suite, output_dir="out")
        assert access.add(stored_run("out"), exit_code=0, kept=Kept(runs=None, days=None))
    return place.run_id


def answer(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    assert main(args) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    assert main(args) == 4
    return capsys.readouterr().err.removeprefix("testloom: ").removesuffix("\n")


def test_what_is_shown_of_runs(capsys: pytest.CaptureFixture[str]) -> None:
    first = a_run(1000.0, {"t": (PASS, 1.0)})
    second = a_run(2000.0, {"t": (FAIL, 1.0), "u": (SKIP, 0.0)})

    assert answer(capsys, "history", "runs") == (
        "run                    started                    took    passed  failed  skipped  commit"
        "        branch\n"
        f"{first}  1970-01-01T00:16:40+00:00  2.50 s  1       0       0        0123456789ab  main\n"
        f"{second}  1970-01-01T00:33:20+00:00  2.50 s  0       1       1        0123456789ab  main\n"
    )
    rows = json.loads(answer(capsys, "history", "runs", "--last", "1", "--json"))
    assert [(row["run_id"], row["failed"]) for row in rows] == [(second, 1)]


def test_what_is_shown_of_a_test(capsys: pytest.CaptureFixture[str]) -> None:
    run = a_run(1000.0, {"t": (FAIL, 1.25)})

    assert answer(capsys, "history", "test", "t") == (
        "run                    started                    status  reason  took    slot  commit\n"
        f"{run}  1970-01-01T00:16:40+00:00  FAIL    diff    1.25 s  -1    0123456789ab\n"
    )
    assert answer(capsys, "history", "test", "x") == "no result of this name is known\n"


def test_flaky_failing_and_slow_tests_are_found(capsys: pytest.CaptureFixture[str]) -> None:
    verdicts = {"wanders": "vxv", "broken": "vxx", "mended": "xvv", "steady": "vvv"}
    runs = [
        a_run(
            1000.0 * at, {n: (FAIL if v[at - 1] == "x" else PASS, at) for n, v in verdicts.items()}
        )
        for at in (1, 2, 3)
    ]

    assert answer(capsys, "history", "flaky") == (
        "test     rate  failed  of  last\nwanders  1.0   1       3   vxv\n"
    )
    assert answer(capsys, "history", "failing") == (
        "test    reason  since                  commit        passed in              last\n"
        f"broken  diff    {runs[1]}  0123456789ab  {runs[0]}  vxx\n"
    )
    slow = json.loads(answer(capsys, "history", "slowest", "--json"))
    assert [row["name"] for row in slow] == sorted(verdicts)
    assert slow[0] == {
        "name": "broken",
        "usual_s": 2.0,
        "fastest_s": 1.0,
        "slowest_s": 3.0,
        "runs": 3,
    }
    assert answer(capsys, "history", "flaky", "--last", "2") == "no test is flaky\n"
    assert answer(capsys, "history", "flaky", "--branch", "side") == "no test is flaky\n"


def test_the_suite_of_the_newest_run_is_meant_unless_one_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    a_run(1000.0, {"t": (FAIL, 1.0)}, suite="older")
    a_run(2000.0, {"t": (PASS, 1.0)}, suite="newer")

    assert answer(capsys, "history", "failing") == "no test fails\n"
    assert "t     diff" in answer(capsys, "history", "failing", "--suite", "older")
    assert refused(capsys, "history", "failing", "--suite", "old") == (
        "history: --suite: no run is of suite 'old'; did you mean 'older'?"
    )


def test_the_history_of_sessions_of_pytest_is_taken_where_there_is_no_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = a_run(1000.0, {"t": (PASS, 1.0)}, suite="here/pytest")
    os.mkdir(".testloom")
    os.rename("out/history.db", ".testloom/history.db")
    alone = json.loads(answer(capsys, "history", "runs", "--json"))
    second = a_run(2000.0, {"t": (PASS, 1.0)})
    beside = json.loads(answer(capsys, "history", "runs", "--json"))

    assert [row["run_id"] for row in alone] == [first]
    assert [row["run_id"] for row in beside] == [second]


def test_a_history_is_made_again_from_journals(capsys: pytest.CaptureFixture[str]) -> None:
    runs = [a_run(1000.0 * at, {"t": (PASS, 1.0)}, keep=False) for at in (1, 2)]

    assert refused(capsys, "history", "runs") == (
        f"{os.getcwd()}/out/history.db: there is no history yet; run the tests first"
    )
    out = os.path.join(os.getcwd(), "out")
    assert answer(capsys, "history", "rebuild") == f"{out}/history.db: 2 runs of {out} are in it\n"
    rows = json.loads(answer(capsys, "history", "runs", "--json"))
    assert [(row["run_id"], row["suite"]) for row in rows] == [(run, "s") for run in runs]


def test_questions_that_make_no_sense_are_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refused(capsys, "history", "test") == (
        "history: test: name a test; see 'testloom history -h'"
    )
    assert refused(capsys, "history", "runs", "x") == (
        "history: runs: what is 'x' for?; see 'testloom history -h'"
    )
    assert refused(capsys, "history", "runs", "--last", "0") == (
        "history: --last: '0' is no number of runs; write 20"
    )
    monkeypatch.setenv("TESTLOOM_NO_HISTORY", "1")
    assert refused(capsys, "history", "runs") == (
        "history: none is kept here: --no-history is in force"
    )


def test_two_runs_that_are_alike(capsys: pytest.CaptureFixture[str]) -> None:
    a_run(1000.0, {"t": (PASS, 1.0)})
    a_run(2000.0, {"t": (PASS, 1.1)})

    assert answer(capsys, "compare").endswith("\nNothing changed.\n")


def test_changes_are_written_as_markdown_that_shows_names_as_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    hostile = "a`b|<script>\x1b[2J"
    first = a_run(1000.0, {hostile: (PASS, 1.0), "slow": (PASS, 1.0), "gone": (PASS, 1.0)})
    second = a_run(2000.0, {hostile: (FAIL, 1.0), "slow": (PASS, 9.0), "added": (PASS, 1.0)})

    assert main(["compare", first, second]) == 1
    out = capsys.readouterr().out
    assert out == (
        f"# `{first}` compared with `{second}`\n\n"
        "| run | started | commit | passed | failed | skipped | stopped |\n"
        "|---|---|---|---|---|---|---|\n"
        f"| `{first}` | 1970-01-01T00:16:40+00:00 | `0123456789ab` | 3 | 0 | 0 |  |\n"
        f"| `{second}` | 1970-01-01T00:33:20+00:00 | `0123456789ab` | 2 | 1 | 0 |  |\n"
        "\n## New failures (1)\n\n"
        "- `` a`b\\|<script>\\x1b[2J ``: PASS (1.00 s) → FAIL (diff, 1.00 s)\n"
        "\n## Slower (1)\n\n"
        "- `slow`: PASS (1.00 s) → PASS (9.00 s)\n"
        "\n## New tests (1)\n\n"
        "- `added`: none → PASS (1.00 s)\n"
        "\n## Tests that are gone (1)\n\n"
        "- `gone`: PASS (1.00 s) → none\n"
    )


def test_what_varied_before_is_not_slower(capsys: pytest.CaptureFixture[str]) -> None:
    for at, spent in enumerate((1.0, 5.0, 1.0, 4.0, 1.0, 4.5), 1):
        a_run(1000.0 * at, {"t": (PASS, spent)})

    assert "Slower" not in answer(capsys, "compare")
    assert "Slower" in answer(capsys, "compare", "--history", "none")
    assert "Slower" not in answer(capsys, "compare", "--history", "none", "--slower", "9")


def test_comparisons_that_make_no_sense_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "compare") == "out: holds no run; run the tests first"
    a_run(1000.0, {"t": (PASS, 1.0)})
    assert refused(capsys, "compare").endswith("latest~1: only 1 runs are kept here")
    assert refused(capsys, "compare", "--slower", "0.5") == (
        "compare: --slower: '0.5' is no ratio; write 1.5, or more than that"
    )
