"""What people read on a build server: Markdown, and annotations of GitHub."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from testloom.model.compare import compare
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo, Summary
from testloom.reports.github import STEP_SUMMARY_BYTES, GitHubReport, add_step_summary
from testloom.reports.markdown import MarkdownReport, block, code, cut_to


def markdown(summary: Summary) -> str:
    return "".join(MarkdownReport().write(summary))


def commands(summary: Summary) -> list[str]:
    return "".join(GitHubReport().write(summary)).splitlines()


def test_a_whole_document(
    make_entry: Callable[..., ResultEntry], make_summary: Callable[..., Summary]
) -> None:
    before = [make_entry("old", TestStatus.FAIL), make_entry("good", TestStatus.ERROR)]
    now = (
        make_entry("old", TestStatus.FAIL, message="still | broken"),
        make_entry("new", TestStatus.ERROR, message="`no`", time_s=2.0, place=0),
        make_entry("good", time_s=0.5),
        make_entry("skipped", TestStatus.SKIP),
    )
    changes = compare(before, now, against="r0")
    written = markdown(
        make_summary(*now, changes=changes, notes=["look"], logs={"log": "```\nlog\n"})
    )
    assert (
        written
        == """\
# `calc`: 2 failed

**1 passed, 2 failed, 1 skipped** in 68.4 s, 16 at a time, run `20261121-003601-00000`

## New failures (1)

- ERROR `new`: `` `no` ``

<details><summary><code>new</code></summary>

````
```
log
````

</details>

## Already detected failures (1)

- FAIL `old`: `still | broken`

## Fixed (1)

- PASS `good`

## Slowest

- 2.00 s `new`
- 0.50 s `good`

## Notes

- `look`
"""
    )


def test_a_run_in_which_all_passed_says_no_more_than_that(
    make_entry: Callable[..., ResultEntry], make_summary: Callable[..., Summary]
) -> None:
    assert markdown(make_summary(make_entry("a"))) == (
        "# `calc`: passed\n\n**1 passed, 0 failed, 0 skipped** in 68.4 s, 16 at a time,"
        " run `20261121-003601-00000`\n\n"
    )


def test_a_run_that_was_stopped_says_so(
    make_run: Callable[..., RunInfo], make_summary: Callable[..., Summary]
) -> None:
    written = markdown(make_summary(run=make_run(stopped="too many failures")))
    assert written.startswith("# `calc`: stopped\n")
    assert "Stopped: `too many failures`\n" in written


def test_long_lists_and_logs_are_cut(
    make_entry: Callable[..., ResultEntry], make_summary: Callable[..., Summary]
) -> None:
    many = [make_entry(f"t{number}", TestStatus.FAIL, place=number) for number in range(150)]
    written = markdown(make_summary(*many, logs={"diff": "-a\n" * 10_000}))
    assert written.count("- FAIL `") == 100
    assert "- ... and 50 more\n" in written
    assert written.count("<details>") == 50
    assert len(written) < 50 * 4500 + 10_000


def test_flaky_tests_are_named_with_their_tries(retried: Summary) -> None:
    assert "## Flaky (1)\n\n- PASS `net__ping` (3/3)\n" in markdown(retried)
    assert ", 1 flaky** in" in markdown(retried)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("a", "`a`"),
        ("", "`   `"),
        ("`", "`` ` ``"),
        ("a``b", "```a``b```"),
        (" a", "`  a `"),
        ("a\nb", "`a\\x0ab`"),
    ],
)
def test_a_span_of_code_holds_anything(text: str, span: str) -> None:
    assert code(text) == span


def test_a_block_of_code_holds_anything() -> None:
    assert block("a\x1b\n````\n", "diff") == "`````diff\na\\x1b\n````\n`````\n"


def test_what_has_no_room_is_cut_off_between_pieces() -> None:
    pieces = ["a" * 50, "é" * 25, "b"]
    assert "".join(cut_to(pieces, 1000)) == "".join(pieces)
    assert "".join(cut_to(pieces, 110)) == "a" * 50 + "\n_The rest is cut off here._\n"
    assert len("".join(cut_to(pieces, 110)).encode()) <= 110


def test_annotations_name_file_and_line(
    make_entry: Callable[..., ResultEntry], make_summary: Callable[..., Summary]
) -> None:
    summary = make_summary(
        make_entry("a"),
        make_entry(
            "a: b, c", TestStatus.FAIL, message="50% off\nx", source="a,b/test.yaml", line=3
        ),
        make_entry("d", TestStatus.ERROR, reason="crash:SIGSEGV"),
        make_entry("e", TestStatus.XFAIL),
    )
    assert commands(summary) == [
        "::error file=a%2Cb/test.yaml,line=3,title=FAIL a%3A b%2C c::50%25 off\\x0ax",
        "::error title=ERROR d::crash:SIGSEGV",
    ]


def test_there_are_ten_annotations_at_most_and_new_failures_come_first(
    make_entry: Callable[..., ResultEntry], make_summary: Callable[..., Summary]
) -> None:
    now = [make_entry(f"t{number}", TestStatus.FAIL) for number in range(30)]
    found = commands(make_summary(*now, changes=compare(now[:25], now)))
    assert len(found) == 10
    titles = [line.split("title=")[1].split(":")[0] for line in found[:-1]]
    assert titles == [f"FAIL t{number}" for number in (25, 26, 27, 28, 29, 0, 1, 2, 3)]
    assert found[-1] == "::error::21 more failures: see the summary of the run"
    assert len(commands(make_summary(*now[:10]))) == 10


def test_the_summary_of_a_step_is_added_as_far_as_there_is_room(
    tmp_path: Path, make_entry: Callable[..., ResultEntry], make_summary: Callable[..., Summary]
) -> None:
    path = tmp_path / "summary.md"
    path.write_text("# other\n")
    summary = make_summary(make_entry("a", TestStatus.FAIL))
    add_step_summary(summary, str(path))
    assert path.read_text() == "# other\n" + markdown(summary)
    path.write_bytes(b"x" * (STEP_SUMMARY_BYTES - 160))
    add_step_summary(summary, str(path))
    assert STEP_SUMMARY_BYTES - 160 < path.stat().st_size <= STEP_SUMMARY_BYTES
    assert path.read_text().endswith("_The rest is cut off here._\n")
    path.write_bytes(b"x" * STEP_SUMMARY_BYTES)
    add_step_summary(summary, str(path))
    assert path.stat().st_size == STEP_SUMMARY_BYTES
