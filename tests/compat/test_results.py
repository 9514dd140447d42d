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
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(log=TEXT | st.binary(max_size=30), msg=TEXT, env=st.dictionaries(TEXT, VALUES, max_size=3))
def test_j7_what_is_saved_is_loaded_again(log: Any, msg: str, env: dict[str, Any]) -> None:
    result = TestResult("a/b c", env, TestStatus.FAIL, msg)
    result.log = Log(log)
    result.failure_reasons = {FailureReason.DIFF, FailureReason.LEAK}
    result.processes = [{"cmd": ["x"], "status": 1, "output": log, "wall_s": 1.0}]

    with tempfile.TemporaryDirectory() as directory:
        again = TestResult.load(str(Path(directory) / result.save(directory)))

    assert (again.log, again.msg, again.env) == (log, msg, env)
    assert again.failure_reasons == {FailureReason.DIFF}  # readers know no others
    assert again.processes == [{"cmd": ["x"], "status": 1, "output": log}]
    assert (again.test_name, again.status) == ("a/b c", TestStatus.FAIL)


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
