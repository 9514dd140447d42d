"""The GAIA report: one small file for each part of each result."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, Final

from testloom.compat.e3_modules.index import ReportIndex
from testloom.compat.e3_modules.results import FailureReason, TestStatus
from testloom.model import names
from testloom.model.log import Log
from testloom.model.result import TestResult

STATUS_MAP: Final = {
    TestStatus.PASS: "OK",
    TestStatus.FAIL: "FAIL",
    TestStatus.XFAIL: "XFAIL",
    TestStatus.XPASS: "UOK",
    TestStatus.VERIFY: "VERIFY",
    TestStatus.SKIP: "DEAD",
    TestStatus.NOT_APPLICABLE: "NOT-APPLICABLE",
    TestStatus.ERROR: "PROBLEM",
}
FAILURE_REASON_MAP: Final = {
    FailureReason.CRASH: "CRASH",
    FailureReason.TIMEOUT: "TIMEOUT",
    FailureReason.MEMCHECK: "PROBLEM",
    FailureReason.DIFF: "DIFF",
}
"""In this order: the first one that a failure has is what is shown."""


@dataclasses.dataclass
class GAIAResultFiles:
    """The files of one result, of those that there are."""

    result: str | None
    log: str | None
    expected: str | None
    out: str | None
    diff: str | None
    time: str | None
    info: str | None


def gaia_status(status: TestStatus, failure_reasons: set[FailureReason]) -> str:
    """Return GAIA's word for *status*."""
    if status is TestStatus.FAIL:
        for reason, word in FAILURE_REASON_MAP.items():
            if reason in failure_reasons:
                return word
    return STATUS_MAP[status]


def dump_gaia_report(
    report_index: ReportIndex,
    output_dir: str,
    discs: object = None,
    result_files: Mapping[str, GAIAResultFiles] | None = None,
) -> None:
    """Write the report of *report_index* to *output_dir*.

    Args:
        report_index: the results.
        output_dir: an existing directory.
        discs: the discriminants of the run: a list of texts, or one text with commas.
        result_files: names of results -> files that are there already, and get their final names.
    """
    dump_discriminants(discs, output_dir)
    lines = []
    for name, entry in report_index.entries.items():
        status = gaia_status(entry.status, entry.failure_reasons)
        lines.append(f"{name}:{status}:{entry.msg or ''}\n")
        if result_files is not None and name in result_files:
            _rename(result_files[name], output_dir, name)
        else:
            dump_result_logs(entry.load(), output_dir)
    _write(os.path.join(output_dir, "results"), "".join(lines))


def dump_discriminants(discs: object, output_dir: str) -> None:
    """Write the file ``discs``, if *discs* are a list of texts or a text with commas."""
    if isinstance(discs, str):
        discs = discs.split(",")
    if isinstance(discs, list) and all(isinstance(disc, str) for disc in discs):
        _write(os.path.join(output_dir, "discs"), " ".join(discs))


def dump_result_logs(result: TestResult, output_dir: str) -> GAIAResultFiles:
    """Write the files of *result*."""
    stem = os.path.join(output_dir, names.path_for(result.test_name))
    status = gaia_status(result.status, result.failure_reasons)
    parts: dict[str, object] = {
        "result": f"{status}:{result.msg or ''}\n",
        "log": result.log,
        "expected": result.expected,
        "out": result.out,
        "diff": result.diff,
        "time": None if result.time is None else f"{result.time:.9f}",
        "info": "\n".join(f"{k}:{v}" for k, v in sorted(result.info.items())) or None,
    }
    written: dict[str, str | None] = {}
    for part, content in parts.items():
        written[part] = None
        if content is not None:
            written[part] = f"{stem}.{part}"
            _write(f"{stem}.{part}", content)
    return GAIAResultFiles(**written)


def dump_result_logs_if_needed(
    env: Any, result: TestResult, output_dir: str
) -> GAIAResultFiles | None:
    """Write the files of *result* if the run is asked for them."""
    if getattr(env.options, "gaia_output", False):
        return dump_result_logs(result, output_dir)
    return None


def _rename(files: GAIAResultFiles, output_dir: str, name: str) -> None:
    stem = os.path.join(output_dir, names.path_for(name))
    for field in dataclasses.fields(files):
        path = getattr(files, field.name)
        if path is not None:
            os.replace(path, f"{stem}.{field.name}")


def _write(path: str, content: object) -> None:
    plain = content.log if isinstance(content, Log) else content
    data = plain if isinstance(plain, bytes) else str(plain).encode("utf-8", "backslashreplace")
    with open(path, "wb") as file:
        file.write(data)
