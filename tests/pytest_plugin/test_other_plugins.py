"""Plugins that many people have work in slots as they do without."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
OURS = ("--disable-plugin-autoload", "-p", "testloom.pytest_plugin")


def test_coverage_of_all_slots_is_put_together(
    write: Callable[..., None], run_pytest: Callable[..., Any], project: Path
) -> None:
    pytest.importorskip("pytest_cov")
    functions = "".join(f"def f{n}():\n    return {n}\n" for n in range(40))
    tests = "".join(f"def test_{n}(): assert covered.f{n}() == {n}\n" for n in range(40))
    write(
        **{
            "covered.py": functions,
            "test_it.py": f"import sys\nsys.path.insert(0, {str(project)!r})\nimport covered\n{tests}",
        }
    )

    session = run_pytest(
        *("--slots", "2", "--cov=covered", "--cov-report=term"), plugins=(*OURS, "-p", "pytest_cov")
    )

    assert session.last_line == "40 passed"
    row = next(line for line in session.out.splitlines() if line.startswith("covered.py"))
    assert row.split() == ["covered.py", "80", "0", "100%"]


def test_asyncio_and_hypothesis(write: Callable[..., None], run_pytest: Callable[..., Any]) -> None:
    pytest.importorskip("pytest_asyncio")
    write(
        **{
            "test_it.py": """
                import asyncio, pytest
                from hypothesis import given, settings, strategies

                @pytest.mark.asyncio
                async def test_awaits(): await asyncio.sleep(0)
                @pytest.mark.asyncio(loop_scope="module")
                @pytest.mark.parametrize("n", range(4))
                async def test_shares_a_loop(n): await asyncio.sleep(0)
                @given(strategies.integers())
                @settings(max_examples=5, database=None)
                def test_given(n): assert n == n
                @given(strategies.integers(0, 10))
                @settings(database=None)
                def test_falsified(n): assert n < 5
            """
        }
    )
    plugins = (*OURS, "-p", "pytest_asyncio.plugin", "-p", "_hypothesis_pytestplugin")

    session = run_pytest("--slots", "2", plugins=plugins)

    assert session.last_line == "1 failed, 6 passed"
    assert "test_falsified(\nE       n=5," in session.out


def test_reports_with_attributes_of_other_plugins_arrive_whole(
    write: Callable[..., None], run_pytest: Callable[..., Any]
) -> None:
    write(
        **{
            "conftest.py": """
                import pytest
                @pytest.hookimpl(wrapper=True)
                def pytest_runtest_makereport(item, call):
                    report = yield
                    if call.when == "call": report.extra = {"of": item.name, "numbers": [1, 2]}
                    return report
                def pytest_runtest_logreport(report):
                    if report.when == "call": SEEN.append(report.extra)
                SEEN = []
                def pytest_terminal_summary(terminalreporter):
                    terminalreporter.write_line(f"seen: {sorted(map(str, SEEN))}")
            """,
            "test_it.py": "def test_a(): pass\ndef test_b(subtests):\n"
            "    with subtests.test('one'): assert False\n",
        }
    )

    session = run_pytest("--slots", "2", "test_it.py::test_a")

    assert "seen: [\"{'of': 'test_a', 'numbers': [1, 2]}\"]" in session.out
