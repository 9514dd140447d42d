"""The driver that compares outputs with baselines."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from testloom.drivers import (
    CanonicalizeLineEndings,
    DiffTestDriver,
    Log,
    PatternSubstitute,
    Substitute,
    TestDriver,
    TestStatus,
)
from testloom.model.status import FailureReason

if TYPE_CHECKING:
    from tests.drivers.conftest import Lab, Runner, Verdicts


class Said(DiffTestDriver):
    """Writes what a test gives it to write."""

    said: str | bytes = ""

    def run(self) -> None:
        self.output += self.said


@pytest.fixture
def run(lab: Lab) -> Any:
    """Run a test that writes *said*; return the driver."""

    def run_it(
        said: Any = "", *, cls: Any = Said, yaml_text: str = "", rewrite: Any = False, **files: Any
    ) -> Any:
        lab.env.rewrite_baselines = rewrite
        driver = cls(lab.env, lab.test_env("t", yaml_text, **files))
        driver.said = said
        lab.run(driver)
        return driver

    return run_it


def baseline(driver: Any, name: str = "test.out") -> Any:
    with open(driver.test_dir(name), "rb") as file:
        return file.read()


def test_an_output_equal_to_its_baseline_passes(
    run: Runner, verdicts: Callable[[TestDriver], Verdicts]
) -> None:
    driver = run("a\nb\n", test_out="a\nb\n")
    assert verdicts(driver) == [("t", "PASS", None)]
    assert driver.result.diff is None


def test_an_output_that_differs_fails_and_is_shown(run: Runner) -> None:
    driver = run("a\nb\nc\n", test_out="a\nB\nc\n")
    result = driver.result
    diff = "--- expected\n+++ output\n@@ -1,3 +1,3 @@\n a\n-B\n+b\n c\n"
    assert (result.status, result.msg) == (TestStatus.FAIL, "unexpected output")
    assert (result.reason, result.failure_reasons) == ("diff", {FailureReason.DIFF})
    assert result.expected == Log("a\nB\nc\n")
    assert result.out == Log("a\nb\nc\n")
    assert result.diff == Log(f"Diff failure: unexpected output\n{diff}")
    assert result.log == Log(f"\nDiff failure: unexpected output\n{diff}"[:-1])


def test_a_difference_that_is_expected_is_an_xfail(
    run: Runner, verdicts: Callable[[TestDriver], Verdicts]
) -> None:
    driver = run("zz", yaml_text='control: [[XFAIL, "True", known]]', test_out="")
    assert verdicts(driver) == [("t", "XFAIL", "unexpected output (known)")]


@pytest.mark.parametrize(("said", "expected"), [("a\r\nb", "a\nb\n"), ("a\n", "a\r\n"), ("", "")])
@pytest.mark.parametrize("strict", ["false", "true"])
def test_how_lines_end_makes_no_difference(
    run: Runner, said: Any, expected: Any, strict: str
) -> None:
    driver = run(said, yaml_text=f"strict_line_endings: {strict}", test_out=expected)
    assert driver.result.status is TestStatus.PASS


def test_the_baseline_may_have_another_name(run: Runner) -> None:
    driver = run("x\n", yaml_text="baseline_file: other.txt", other_txt="x\n")
    assert driver.result.status is TestStatus.PASS


@pytest.mark.parametrize(
    ("files", "yaml_text", "message"),
    [
        ({}, "", (r"cannot read baseline file \(FileNotFoundError: \[Errno 2\] No such file or "
         r"directory: '/.*/t/test.out'\)")),
        ({"test_out": b"\xe9"}, "", r"cannot read baseline file \(UnicodeDecodeError: .*\)"),
        ({"test_out": b""}, "baseline_file: .", r"cannot read baseline file \(IsADirectoryError.*"),
    ],
)  # fmt: skip
def test_a_baseline_that_cannot_be_read_is_an_error(
    run: Runner, files: Any, yaml_text: str, message: str
) -> None:
    result = run("x", yaml_text=yaml_text, **files).result
    assert (result.status, result.reason) == (TestStatus.ERROR, "config")
    assert re.fullmatch(message, str(result.msg))


def test_binary_outputs_are_compared_as_bytes_and_shown_escaped(run: Runner) -> None:
    driver = run(b"caf\xe9\n", yaml_text="encoding: binary", test_out=b"caf\\xe9\n")
    result = driver.result
    assert result.diff == Log(
        "Diff failure: unexpected output\n--- expected\n+++ output\n"
        "@@ -1 +1 @@\n-caf\\\\xe9\n+caf\\xe9\n"
    )
    assert (result.expected, result.out) == (Log("caf\\\\xe9\n"), Log("caf\\xe9\n"))
    again = run(b"caf\xe9\n", yaml_text="encoding: binary", test_out=b"caf\xe9\n")
    assert again.result.status is TestStatus.PASS


def test_the_context_is_that_of_the_call_then_of_the_driver_then_of_the_test(run: Runner) -> None:
    def lines_of_context(driver: Any) -> Any:
        return str(driver.result.diff).count("\n ")

    class Wide(Said):
        diff_context_size = 3

    class Called(Wide):
        def compute_failures(self) -> Any:
            return self.compute_diff(None, "1\n2\n3\n4\n5\n", self.output.log, context_size=0)

    text = "1\n2\n3\n4\n"
    found = [
        lines_of_context(run(text, test_out=f"{text}5\n")),
        lines_of_context(run(text, yaml_text="diff_context_size: 2", test_out=f"{text}5\n")),
        lines_of_context(run(text, cls=Wide, test_out=f"{text}5\n")),
        lines_of_context(run(text, cls=Called)),
    ]
    assert found == [1, 2, 3, 0]


def test_white_space_makes_no_difference_if_the_driver_says_so(run: Runner) -> None:
    class Loose(Said):
        diff_ignore_white_chars = True

    text = {"test_out": "a\nb\n"}
    assert run(" a \n\nb", cls=Loose, **text).result.status is TestStatus.PASS
    assert run(" a \n\nb", **text).result.status is TestStatus.FAIL
    assert run("a b", cls=Loose, **text).result.status is TestStatus.FAIL


def test_outputs_and_baselines_are_refined(run: Runner) -> None:
    class Refined(Said):
        @property
        def output_refiners(self) -> Any:
            return [*super().output_refiners, PatternSubstitute(r"\d+", "N"), Substitute("x", "y")]

    class OutputOnly(Refined):
        refine_baseline = False

    assert run("x 12\r\n", cls=Refined, test_out="x 7\n").result.status is TestStatus.PASS
    assert run("x 12\r\n", cls=OutputOnly, test_out="y N\n").result.status is TestStatus.PASS
    assert run("x 12\r\n", cls=OutputOnly, test_out="x 7\n").result.status is TestStatus.FAIL


def test_line_endings_are_refined_unless_they_are_strict(lab: Lab) -> None:
    refiners = Said(lab.env, lab.test_env()).output_refiners
    assert [type(refiner) for refiner in refiners] == [CanonicalizeLineEndings]
    strict = lab.test_env("s", "strict_line_endings: true")
    assert list(Said(lab.env, strict).output_refiners) == []


def test_several_differences_are_kept_one_after_the_other(
    run: Runner, verdicts: Callable[[TestDriver], Verdicts]
) -> None:
    class Twice(Said):
        def compute_failures(self) -> Any:
            return [
                *self.compute_diff(None, "e1\n", "o1\n"),
                *self.compute_diff(None, "e2\n", "o2\n", failure_message="other"),
                *self.compute_diff(None, "same\n", "same\n"),
            ]

    driver = run(cls=Twice)
    first, second = (f"--- expected\n+++ output\n@@ -1 +1 @@\n-e{n}\n+o{n}\n" for n in (1, 2))
    assert verdicts(driver) == [("t", "FAIL", "unexpected output | other")]
    assert (driver.result.expected, driver.result.out) == (None, None)
    assert driver.result.diff == Log(
        f"Diff failure: unexpected output\n{first}\nDiff failure: other\n{second}"
    )
    assert driver.failing_diff_count == 2


def test_long_differences_are_cut_in_the_log_only(run: Runner, lab: Lab) -> None:
    lab.env.options.truncate_logs = 2
    driver = run("".join(f"{n}\n" for n in range(100)), test_out="")
    assert str(driver.result.log) == (
        "\nDiff failure: unexpected output\n--- expected\n\n... 100 lines skipped...\n\n+98\n+99"
    )
    assert str(driver.result.diff).count("\n") == 104


# --- patterns


@pytest.mark.parametrize(
    ("said", "pattern", "status"),
    [
        ("abc\ndef\n", "abc\nd[e]f\n", TestStatus.PASS),
        ("abc\r\ndef\n", "abc\ndef\n", TestStatus.PASS),
        ("abc\n", "ab", TestStatus.FAIL),
        ("a" * 10, "(a|b)*", TestStatus.PASS),
    ],
)
def test_a_pattern_must_match_all_of_the_output(
    run: Runner, said: Any, pattern: str, status: Any
) -> None:
    driver = run(said, yaml_text="baseline_regexp: true", test_out=pattern)
    assert driver.result.status is status


def test_an_output_that_does_not_match_is_shown_with_the_pattern(run: Runner) -> None:
    result = run("abc\n", yaml_text="baseline_regexp: true", test_out="d[xy]f\n").result
    assert result.msg == "output does not match expected pattern"
    assert result.failure_reasons == {FailureReason.DIFF}
    assert result.log == Log(
        "output does not match expected pattern:\n  abc\n  \n"
        "Does not match the expected pattern:\n  d[xy]f\n  "
    )


def test_patterns_can_be_of_bytes(run: Runner) -> None:
    options = "baseline_regexp: true\nencoding: binary"
    assert run(b"\xe9\n", yaml_text=options, test_out=b"[\xe9]\n").result.status is TestStatus.PASS


def test_an_invalid_pattern_is_an_error(
    run: Runner, verdicts: Callable[[TestDriver], Verdicts]
) -> None:
    driver = run("x", yaml_text="baseline_regexp: true", test_out="(")
    assert verdicts(driver) == [
        ("t", "ERROR", ("invalid pattern in baseline: missing ), unterminated subpattern at "
         "position 0"))
    ]  # fmt: skip


# --- rewriting


def test_a_differing_baseline_is_overwritten_on_request_and_the_test_still_fails(
    run: Runner, verdicts: Callable[[TestDriver], Verdicts]
) -> None:
    driver = run("a\r\nb\n", test_out="a\nc\n", rewrite=True)
    assert verdicts(driver) == [("t", "FAIL", "unexpected output (baseline updated)")]
    assert str(driver.result.diff).startswith(
        "Diff failure: unexpected output (baseline updated)\n"
    )
    assert baseline(driver) == b"a\nb\n"
    assert verdicts(run("a\r\nb\n", rewrite=True)) == [("t", "PASS", None)]


def test_a_missing_baseline_is_made(
    run: Runner, verdicts: Callable[[TestDriver], Verdicts]
) -> None:
    driver = run("é\n", rewrite=True)
    assert verdicts(driver) == [("t", "FAIL", "unexpected output (baseline updated)")]
    assert baseline(driver) == "é\n".encode()


def test_bytes_are_written_as_they_are(run: Runner) -> None:
    driver = run(b"a\xe9\r\n", yaml_text="encoding: binary", test_out="", rewrite=True)
    assert baseline(driver) == b"a\xe9\n"


def test_text_is_written_in_the_encoding_of_the_test(run: Runner) -> None:
    driver = run("é\n", yaml_text="encoding: latin-1", test_out="", rewrite=True)
    assert baseline(driver) == b"\xe9\n"


@pytest.mark.parametrize(
    "yaml_text", ["baseline_regexp: true", 'control: [[XFAIL, "True", known]]']
)
def test_patterns_and_baselines_of_expected_failures_are_left_alone(
    run: Runner, yaml_text: str
) -> None:
    driver = run("a", yaml_text=yaml_text, test_out="b", rewrite=True)
    assert baseline(driver) == b"b"
    assert driver.result.status in (TestStatus.FAIL, TestStatus.XFAIL)


def test_a_baseline_that_is_a_link_stays_one(run: Runner, lab: Lab) -> None:
    (lab.root / "shared.out").write_text("old\n")
    lab.test_env("t")
    (lab.root / "tests/t/test.out").symlink_to(lab.root / "shared.out")
    run("new\n", rewrite=True)
    assert (lab.root / "tests/t/test.out").is_symlink()
    assert (lab.root / "shared.out").read_text() == "new\n"
