"""Makes the pictures of the HTML report: ``python docs/screenshots.py``.

Needs Chromium and an interpreter that has testloom and playwright, that of ``./check``.  The run
in the pictures is made up, and the same each time.  Afterwards: ``pngquant --ext .png --force
docs/images/*.png``.
"""

# ruff: noqa: INP001 - a script, not a part of a package

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from playwright.sync_api import sync_playwright

from testloom.model.compare import compare
from testloom.model.history import PastResult, PastRun
from testloom.model.result import ResultRecord
from testloom.model.span import FragmentSpan
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo, Summary
from testloom.reports.html import HtmlReport

IMAGES = Path(__file__).parent / "images"
PICTURES: tuple[tuple[str, Literal["light", "dark"], str], ...] = (
    ("html-report", "light", "#/"),
    ("html-report-test", "light", "#/?q=differs"),
    ("html-report-timeline", "dark", "#/timeline"),
)
SLOTS = 8
RUNS = 12
WHEN = 1795221361.0
PLACES = (
    *("parser/errors", "parser/literals", "parser/comments", "opt/dce", "opt/inline"),
    *("opt/unroll", "codegen/x86", "codegen/arm", "codegen/riscv", "runtime/gc", "runtime/io"),
    *("runtime/threads", "tools/format", "tools/lint"),
)
SUBJECTS = (
    *("unterminated_string", "phi_nodes", "nested_loops", "empty_input", "utf8_names"),
    *("overflow", "alias_sets", "spill", "barrier", "roundtrip", "large_switch", "tail_calls"),
    *("strings", "deep_recursion", "sorting"),
)
DIFF = """\
Diff failure: unexpected output
--- expected
+++ output
@@ -3,3 +3,3 @@
 parsing 12 modules
-error: line 31: unterminated string
+error: line 31: unterminated string literal  \n 1 error, 0 warnings
@@ -8,4 +8,5 @@
 total 14
-\tdone in two passes
-elapsed: 12 units
+    done in two passes
+note: cache was cold
+elapsed: 14 units
 bye
"""
EXPECTED = """\
start
loading grammar
parsing 12 modules
error: line 31: unterminated string
1 error, 0 warnings
writing tables
checking tables
total 14
\tdone in two passes
elapsed: 12 units
bye
"""
DIFFERS = (TestStatus.FAIL, "output differs: test.out +4 -3", "diff")
CRASHES = (TestStatus.FAIL, "SIGSEGV in ./calc after 527 steps", "crash:SIGSEGV")
SPECIAL = {
    5: DIFFERS,
    9: DIFFERS,
    31: DIFFERS,
    17: CRASHES,
    44: CRASHES,
    72: (TestStatus.FAIL, "timed out after 10 s", "timeout"),
    23: (TestStatus.ERROR, "cannot read baseline file (FileNotFoundError: test.out)", "config"),
    3: (TestStatus.XFAIL, "bug 123: no tail calls yet", ""),
}


class Run:
    """A run that was never made."""

    def __init__(self) -> None:
        self.random = random.Random(7)
        self.free = [0.0] * SLOTS
        self.spans: list[FragmentSpan] = []
        self.entries: list[ResultEntry] = []
        builds = {name: self.build(name) for name in ("parser", "opt", "codegen", "runtime")}
        names = [f"{place}/{subject}" for place in PLACES for subject in SUBJECTS]
        self.random.shuffle(names)
        for number, name in enumerate(names):
            self.test(number, name, builds.get(name.split("/")[0]) if number % 3 == 0 else None)
        self.past = {entry.name: list(self.past_of(entry)) for entry in self.entries}

    def build(self, name: str) -> FragmentSpan:
        compiled = self.ran(f"{name}/build", "compile", self.random.uniform(0.8, 1.8))
        linked = self.ran(f"{name}/build", "link", self.random.uniform(0.3, 0.7), compiled)
        self.add(linked, TestStatus.PASS, "", "")
        return linked

    def test(self, number: int, name: str, build: FragmentSpan | None) -> None:
        took_s = abs(self.random.gauss(0.14, 0.06)) + 0.02 + self.random.random() ** 6 * 1.6
        span = self.ran(name, "run", took_s, build)
        skipped = (TestStatus.SKIP, "needs an ARM board", "")
        ordinary = skipped if self.random.random() < 0.04 else (TestStatus.PASS, "", "")
        self.add(span, *SPECIAL.get(number, ordinary))

    def ran(
        self, test: str, name: str, took_s: float, after: FragmentSpan | None = None
    ) -> FragmentSpan:
        ready = after.ended_s if after else 0.0
        slot = min(range(SLOTS), key=lambda n: (max(self.free[n], ready), n))
        started = max(self.free[slot], ready) + 0.003
        self.free[slot] = started + took_s
        span = FragmentSpan(
            uid=f"{test}.{name}",
            test=test,
            name=name,
            slot=slot,
            started_s=started,
            ended_s=started + took_s,
            end="Returned",
            after=(after.uid,) if after else (),
        )
        self.spans.append(span)
        return span

    def add(self, span: FragmentSpan, status: TestStatus, message: str, why: str) -> None:
        took_s = span.ended_s - span.started_s
        self.entries.append(
            ResultEntry(
                name=span.test,
                test=span.test,
                status=status,
                message=message,
                reason=why,
                time_s=took_s,
                cpu_s=0.8 * took_s,
                memory_bytes=self.random.randrange(6 << 20, 90 << 20),
                slot=span.slot,
                started_s=span.started_s,
                driver="diff",
                source=f"tests/{span.test}/test.yaml",
                place=0,
            )
        )

    def past_of(self, entry: ResultEntry) -> Sequence[PastResult]:
        passes = TestStatus.SKIP if entry.status is TestStatus.SKIP else TestStatus.PASS
        since = self.random.choice((RUNS, RUNS, RUNS - 2)) if entry.status.is_bad else RUNS
        return [
            PastResult(
                name=entry.name,
                run_id=f"r{number}",
                started_at=WHEN - 86400 * (RUNS - number),
                status=TestStatus.FAIL if number >= since else passes,
                time_s=(entry.time_s or 0) * self.random.uniform(0.8, 1.2),
            )
            for number in range(RUNS)
        ]

    # As a history.

    def runs(self, last: int = 20) -> list[PastRun]:
        del last
        failed = (0, 0, 1, 1, 2, 0, 0, 3, 1, 0, 2, 3)
        return [
            PastRun(run_id=f"r{n}", suite="calc", started_at=0.0, failed=failed[n])
            for n in range(RUNS)
        ]

    def results(self, name: str, last: int = 50) -> list[PastResult]:
        return self.past[name][-last:]

    def recent(self, last: int = 20) -> dict[str, list[PastResult]]:
        del last
        return self.past

    @property
    def summary(self) -> Summary:
        before = [results[-1] for results in self.past.values()]
        passed = next(n for n, entry in enumerate(self.entries) if n > 100 and not entry.message)
        before[passed] = msgspec.structs.replace(before[passed], status=TestStatus.FAIL)
        return Summary(
            run=RunInfo(
                run_id="20261121-003601-2f1c0",
                suite="calc",
                root="/home/you/calc",
                output_dir="/home/you/calc/out/20261121-003601-2f1c0",
                command=("./run-tests", f"-j{SLOTS}"),
                jobs=SLOTS,
                started_at=WHEN,
                duration_s=max(self.free) + 0.05,
                host="ci-3",
                platform="linux-x86_64",
            ),
            entries=self.entries,
            load=load,
            spans=lambda: self.spans,
            history=self,
            changes=compare(before, self.entries, against="20261120-003600-77d01"),
        )


def load(entry: ResultEntry) -> ResultRecord:
    """Return the logs of *entry*."""
    process: dict[str, Any] = {"cmd": ["./calc", "input.calc"], "cwd": "/calc", "status": 0}
    record = ResultRecord(
        name=entry.name, status=entry.status.name, log="ok\n", processes=[process]
    )
    if entry.reason == "diff":
        record.diff, record.expected = DIFF, EXPECTED
        record.out = EXPECTED.replace("12 units", "14 units")
    return record


def main() -> None:
    """Write the pictures."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        page_file = Path(folder, "report.html")
        page_file.write_text("".join(HtmlReport().write(Run().summary)), encoding="utf-8")
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for name, theme, address in PICTURES:
            page = browser.new_page(
                viewport={"width": 1200, "height": 760}, color_scheme=theme, timezone_id="UTC"
            )
            page.goto(f"file://{page_file}{address}")
            page.wait_for_selector("html[data-ready]")
            page.wait_for_selector(".row, canvas")
            if "?q=" in address:
                page.click(".row")
                page.wait_for_selector(".diff")
                page.evaluate("scrollTo(0, 220)")
            page.screenshot(path=IMAGES / f"{name}.png")
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
