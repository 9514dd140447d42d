"""Measures the HTML report of 10,000 results: writing it, opening it, filtering it.

Needs Chromium, and an interpreter that has testloom and playwright: that of ``./check``.

.run-tests/venv-check-*/bin/python benchmarks/html_report.py --repeat 5
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import machine
import msgspec
from figures import Figure, render

from testloom.journal.reader import read, summary_of
from testloom.journal.writer import JournalWriter
from testloom.model.result import ResultRecord
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo
from testloom.processes.clock import SystemClock
from testloom.reports.html import HtmlReport

RESULTS = 10_000
LARGE = 1 << 20
"""Characters of the log, and of the output, of one test in a hundred; it fails."""
SLOTS = 16
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
FILTERS = ("t", "test-99", "s:failed", "-directory-7 tag:smoke", "")
FILTER = """async (text) => {
    const field = document.getElementById("filter");
    const began = performance.now();
    field.value = text;
    field.dispatchEvent(new Event("input", {bubbles: true}));
    await new Promise(requestAnimationFrame);
    return performance.now() - began;
}"""


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--repeat", type=int, default=5, metavar="N")
    parser.add_argument("--write", nargs=2, metavar=("JOURNAL", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        print(json.dumps(write(*options.write)))
        return 0
    work = Path(tempfile.mkdtemp())
    try:
        before = machine.load()
        found = list(figures(work, options.repeat))
        print(f"load: {before}; after: {machine.load()}\n\n{render(found)}")
    finally:
        shutil.rmtree(work)
    return 0


def figures(work: Path, repeat: int) -> Iterator[Figure]:
    journal, page = work / "run.journal", work / "report.html"
    make_journal(journal)
    command = [sys.executable, __file__, "--write", str(journal), str(page)]
    runs = [json.loads(subprocess.check_output(command)) for _ in range(repeat)]
    yield Figure(
        name="written in",
        unit="s",
        samples=tuple(run["seconds"] for run in runs),
        at_most=1,
        note=f"{RESULTS:,} results, one in a hundred with 1 MiB of log and 1 MiB of output",
    )
    yield Figure(
        name="peak memory", unit="MB", samples=tuple(run["peak_mb"] for run in runs), at_most=300
    )
    yield Figure(name="size", unit="MB", samples=(page.stat().st_size / 1e6,))
    yield from in_browser(page, repeat)


def make_journal(path: Path) -> None:
    writer = JournalWriter(str(path), SystemClock())
    run = RunInfo(
        run_id="20261121-003601-00000",
        suite="calc",
        root="/calc",
        output_dir="/calc/out",
        command=("./run-tests",),
        jobs=SLOTS,
        started_at=1795221361.0,
    )
    writer.run_started(run, [])
    line = "a line of a log that goes on and on\n"
    for number in range(RESULTS):
        fails = number % 100 == 0
        text = line * ((LARGE if fails else 200) // len(line))
        name = f"directory-{number % 50}/test-{number}"
        status = TestStatus.FAIL if fails else TestStatus.PASS
        process = {"cmd": ["./calc", name], "cwd": "/w", "status": 0, "output": text, "wall_s": 0.1}
        record = ResultRecord(name=name, status=status.name, log=text, processes=[process])
        entry = ResultEntry(
            name=name,
            test=name,
            status=status,
            message="output differs" if fails else "",
            time_s=number % 97 / 50,
            slot=number % SLOTS,
            driver="diff",
            source=f"{name}/test.yaml",
            tags=("smoke",) if number % 7 == 0 else (),
        )
        writer.fragment_started(f"{name}.run", name, number % SLOTS)
        writer.fragment_ended(f"{name}.run", number % SLOTS, "Returned", 0.1, 0.1)
        writer.result(entry, msgspec.json.encode(record), settles=True)
    writer.run_ended(duration_s=68.4)
    writer.close()


def write(journal: str, page: str) -> dict[str, float]:
    """Write the report of *journal*; say what that took."""
    summary = summary_of(read(journal))
    began = time.perf_counter()
    with open(page, "w", encoding="utf-8") as file:
        file.writelines(HtmlReport().write(summary))
    seconds = time.perf_counter() - began
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return {"seconds": seconds, "peak_mb": peak_mb}


def in_browser(page: Path, repeat: int) -> Iterator[Figure]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only this part needs it

    ready, filtered = [], []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        for _ in range(repeat):
            tab: Any = browser.new_page()
            tab.goto(f"file://{page}")
            tab.wait_for_selector("html[data-ready]")
            ready.append(float(tab.evaluate("document.documentElement.dataset.ready")))
            filtered.extend(tab.evaluate(FILTER, text) for text in FILTERS)
            tab.close()
        browser.close()
    yield Figure(name="ready", unit="ms", samples=tuple(ready), at_most=1000)
    yield Figure(name="filtered", unit="ms", samples=tuple(filtered), at_most=50)


if __name__ == "__main__":
    sys.exit(main())
