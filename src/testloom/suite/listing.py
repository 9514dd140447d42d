"""Shows the tests of a suite without running them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from testloom.model.names import shown_line
from testloom.model.test import BrokenTest, ParsedTest
from testloom.processes.files import write_whole


def show(
    tests: Sequence[ParsedTest],
    broken: Sequence[BrokenTest],
    *,
    root: str,
    as_json: bool,
    e3_file: str | None,
) -> None:
    """List *tests*: on the standard output, and in e3-testsuite's form in *e3_file* if given."""
    if e3_file is not None:
        rows = [
            {"test_name": t.test_name, "test_dir": t.test_dir, "test_matcher": t.test_matcher}
            for t in tests
        ]
        write_whole(e3_file, json.dumps(rows))
        return
    if as_json:
        lines = [json.dumps([*(_row(t, root) for t in tests), *map(_broken_row, broken)], indent=1)]
    else:
        lines = [shown_line(t.test_name) for t in tests]
        lines += [f"{shown_line(b.test_name)}  ERROR {shown_line(b.message)}" for b in broken]
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def _row(test: ParsedTest, root: str) -> dict[str, Any]:
    return {
        "name": test.test_name,
        "driver": getattr(test.driver_cls, "__name__", None),
        "source": os.path.relpath(test.source or test.test_dir, root),
        "line": test.line,
        "tags": list(test.tags),
    }


def _broken_row(broken: BrokenTest) -> dict[str, Any]:
    return {"name": broken.test_name, "error": broken.message, "reason": broken.reason}
