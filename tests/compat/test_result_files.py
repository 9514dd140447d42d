"""Files of results are written beside the run, and are all there afterwards."""

from __future__ import annotations

import resource
import threading
from pathlib import Path

from testloom.compat.e3_modules.result_files import ResultFiles
from testloom.compat.e3_modules.results import TestResult, TestStatus


def test_n3_each_result_has_a_file_of_its_own(tmp_path: Path) -> None:
    results = [TestResult("same name", status=TestStatus.PASS, msg=str(n)) for n in range(200)]

    with ResultFiles(str(tmp_path)) as files:
        names = [files.add(result) for result in results]

    assert len(set(names)) == 200
    assert [TestResult.load(str(tmp_path / name)).msg for name in names] == [
        str(number) for number in range(200)
    ]
    assert files.problem == ""


def test_n3_a_file_that_is_wanted_at_once_is_there_and_starts_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()

    with ResultFiles(str(tmp_path)) as files:
        name = files.add(TestResult("t"), at_once=True)
        assert (tmp_path / name).is_file()
        assert threading.active_count() == before


def test_n3_the_first_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with ResultFiles(str(tmp_path / "gone")) as files:
        names = [files.add(TestResult("t")) for _ in range(3)]

    assert files.problem == f"{names[0]}: cannot be written: No such file or directory"


def test_n3_a_file_of_which_only_a_part_fits_is_told(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with ResultFiles(str(tmp_path)) as files:
        resource.setrlimit(resource.RLIMIT_FSIZE, (40, hard))
        try:
            name = files.add(TestResult("t"), at_once=True)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert files.problem == f"{name}: cannot be written: File too large"
