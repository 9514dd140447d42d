"""Results survive being written and read, whatever is in them."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from testloom.compat.e3_modules.results import FailureReason, Log, TestResult, TestStatus, encoded

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=80) | st.text(
    " \t\n\r\\'\"|>-:#a\x00\x85\u2028\ufeff", max_size=40
)
FLOATS = st.floats(allow_nan=False) | st.sampled_from([1e-05, 1e22, 5e-324])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | TEXT | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(
    log=TEXT | st.binary(max_size=30),
    output=TEXT | st.binary(max_size=30),
    msg=TEXT,
    env=st.dictionaries(TEXT, VALUES, max_size=3),
    time=st.none() | FLOATS,
    is_good=st.booleans(),
)
def test_j7_what_is_saved_is_loaded_again(
    log: Any, output: Any, msg: str, env: dict[str, Any], time: float | None, is_good: bool
) -> None:
    status = TestStatus.PASS if is_good else TestStatus.FAIL
    result = TestResult("a/b c", env, status, msg)
    result.log = Log(log)
    result.time = time
    result.failure_reasons = set() if is_good else {FailureReason.DIFF, FailureReason.LEAK}
    result.processes = [{"cmd": ["x"], "status": 1, "output": output, "wall_s": 1.0}]

    with tempfile.TemporaryDirectory() as directory:
        again = TestResult.load(str(Path(directory) / result.save(directory)))

    assert (again.log, again.msg, again.env, again.time) == (log, msg, env, time)
    assert again.failure_reasons == (set() if is_good else {FailureReason.DIFF})  # known ones
    assert again.processes == [{"cmd": ["x"], "status": 1, "output": output}]
    assert (again.test_name, again.status) == ("a/b c", status)


def test_j7_what_json_has_no_form_for_is_saved_all_the_same(tmp_path: Path) -> None:
    """The type of what a driver says of a test that passed is not for us to choose."""
    result = TestResult("t", {"k" * 2000: 1}, TestStatus.PASS, msg=Path("/some/where"))  # type: ignore[arg-type]  # see above
    result.info["\0" * 200] = "v"

    again = TestResult.load(str(tmp_path / result.save(str(tmp_path))))

    assert (again.msg, again.env, again.info) == (
        "/some/where",
        {"k" * 2000: 1},
        {"\0" * 200: "v"},
    )


def test_j7_the_result_of_a_test_that_passed_is_a_line_a_value() -> None:
    result = TestResult("t", {"control": [["SKIP", "a == 'b'", "why: # not"]]}, TestStatus.PASS)
    result.log = Log("Output: \n  - a\n")

    lines = encoded(result).decode().splitlines()

    assert lines[0] == "!e3.testsuite.result.TestResult"
    assert 'log: "Output: \\n  - a\\n"' in lines
    assert """env: {"control":[["SKIP","a == 'b'","why: # not"]]}""" in lines


def test_j7_values_of_foreign_types_become_plain_ones() -> None:
    class Odd(str):  # noqa: SLOT000 - as suites make them
        pass

    env = {
        "odd": Odd("x"),
        "status": TestStatus.PASS,
        "path": Path("/a"),
        "t": (1, {2}),
        "\ud800": 1,
    }
    data = encoded(TestResult("t", env))

    loaded = yaml.safe_load(io.BytesIO(data))
    assert loaded.env == {
        "odd": "x",
        "status": TestStatus.PASS,
        "path": "/a",
        "t": [1, {2}],
        "\\ud800": 1,
    }
