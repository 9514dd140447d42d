"""The GAIA report: one small file for each part of each result."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, Final

from testloom.compat.e3_modules.index import ReportIndex
from testloom.compat.e3_modules.results import FailureReason, TestStatus
from testloom.model import names
from testloom.model.result import TestResult
from testloom.reports.gaia import REASON_WORDS, STATUS_WORDS, line_of, parts_of, word_for

STATUS_MAP: Final = STATUS_WORDS
FAILURE_REASON_MAP: Final = REASON_WORDS


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
    return word_for(status, failure_reasons)


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
        lines.append(line_of(name, status, entry.msg))
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
        _write(os.path.join(output_dir, "discs"), " ".join(discs) + "\n")


def dump_result_logs(result: TestResult, output_dir: str) -> GAIAResultFiles:
    """Write the files of *result*."""
    stem = os.path.join(output_dir, names.path_for(result.test_name))
    written: dict[str, str | None] = dict.fromkeys(
        field.name for field in dataclasses.fields(GAIAResultFiles)
    )
    for part, content in parts_of(result).items():
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


def _write(path: str, content: str | bytes) -> None:
    data = content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace")
    with open(path, "wb") as file:
        file.write(data)
