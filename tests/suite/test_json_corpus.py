"""A small suite with its own finder and driver, over a real corpus, in every way of running."""

import pathlib
import subprocess
import sys

import pytest

SUITE = pathlib.Path(__file__).parent / "data" / "json_suite.py"
CORPUS = pathlib.Path(__file__).parents[3] / "shared/corpora/JSONTestSuite/test_parsing"


@pytest.mark.slow
@pytest.mark.parametrize("start_method", ["fork", "spawn"])
@pytest.mark.parametrize("jobs", [2, 16])
def test_python_accepts_three_files_that_are_not_json(
    tmp_path: pathlib.Path, jobs: int, start_method: str
) -> None:
    if not CORPUS.is_dir():
        pytest.skip("the corpus ../shared/corpora/JSONTestSuite is not there")
    command = [sys.executable, str(SUITE), f"--corpus={CORPUS}", f"-j{jobs}", "n_number_", "y_a"]
    run = subprocess.run(
        [*command, f"--start-method={start_method}", f"--output-dir={tmp_path / 'out'}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    names = {line.split()[1] for line in run.stdout.splitlines() if line.startswith("   FAIL ")}
    assert names == {"n_number_NaN", "n_number_infinity", "n_number_minus_infinity"}
    assert run.returncode == 1
    assert run.stdout.splitlines()[-1] == "63 passed, 3 failed, 0 skipped"
