"""Files of pytest's tests as tests of a suite."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
SOURCE = Path(__file__).parents[2] / "src"


def test_each_function_is_a_result_and_a_crash_costs_only_what_had_not_run(tmp_path: Path) -> None:
    files = {
        "suite.py": """
            import sys
            import testloom
            from testloom.discovery import FileFinder
            from testloom.drivers.pytest_driver import PytestDriver

            class Suite(testloom.Testsuite):
                tests_subdir = "tests"
                test_finders = [FileFinder(PytestDriver, "test_*.py")]

            if __name__ == "__main__":
                sys.exit(Suite().testsuite_main())
        """,
        "tests/test_kinds.py": """
            import pytest
            def test_passes(): pass
            def test_fails(): print("seen"); assert 1 == 2
            @pytest.mark.skip(reason="not here")
            def test_skipped(): pass
            @pytest.mark.xfail(reason="bug 1")
            def test_known(): assert False
            @pytest.mark.xfail(reason="bug 2")
            def test_fixed(): pass
            class TestClass:
                @pytest.mark.parametrize("n", [1, 2])
                def test_many(self, n): pass
            @pytest.fixture
            def broken(): raise RuntimeError("no set-up")
            def test_error(broken): pass
        """,
        "tests/test_crash.py": "import os\ndef test_before(): pass\ndef test_dies(): os._exit(3)\n",
        "tests/test_broken.py": "import nothing_like_that\n",
        "tests/test_empty.py": "",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(content))

    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "TESTLOOM"))}
    ended = subprocess.run(
        [sys.executable, "-P", "suite.py", "-j2", "--report=json=results.json"],
        cwd=tmp_path,
        env={**kept, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 1, ended.stdout + ended.stderr
    results = json.loads((tmp_path / "results.json").read_text())["results"]
    assert {r["name"]: (r["status"], r.get("message", "")) for r in results} == {
        "test_broken.test_broken.py": ("ERROR", "cannot be collected"),
        "test_crash": ("ERROR", "the worker exited with status 3 while running test_crash.run"),
        "test_crash.test_before": ("PASS", ""),
        "test_empty": ("SKIP", "there are no tests in it"),
        "test_kinds.TestClass.test_many[1]": ("PASS", ""),
        "test_kinds.TestClass.test_many[2]": ("PASS", ""),
        "test_kinds.test_error": ("ERROR", "RuntimeError: no set-up"),
        "test_kinds.test_fails": ("FAIL", "assert 1 == 2"),
        "test_kinds.test_fixed": ("XPASS", "bug 2"),
        "test_kinds.test_known": ("XFAIL", "bug 1"),
        "test_kinds.test_passes": ("PASS", ""),
        "test_kinds.test_skipped": ("SKIP", "not here"),
    }
    assert "running test_crash.py::test_dies" in (tmp_path / "results.json").read_text()
