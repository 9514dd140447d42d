"""The HTML report as people use it: opened from the disk by a real browser.

Needs Debian's ``chromium``; what is measured here is asserted generously, as others load the
machine while tests run.  ``benchmarks/html_report.py`` has the figures.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from testloom.model.compare import compare
from testloom.model.history import PastResult, PastRun
from testloom.model.result import ResultRecord
from testloom.model.span import FragmentSpan
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo, RunPart, Summary
from testloom.reports.html import HtmlReport

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium")
if not CHROMIUM:
    pytest.skip("needs chromium", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe")

ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
RUN = RunInfo(
    run_id="20261121-003601-00000",
    suite="calc",
    root="/calc",
    output_dir="/calc/out",
    command=("./run-tests",),
    jobs=2,
    started_at=1795221361.0,
    duration_s=68.4,
)
DIFF = """\
Diff failure: unexpected output
--- expected
+++ output
@@ -3,2 +3,3 @@
 same
-error: line 3: unterminated string
+error: line 3: unterminated string literal
+\tadded \n"""
EXPECTED = "one\ntwo\nsame\nerror: line 3: unterminated string\nlast\n"
LOG = "\x1b[1;31merror:\x1b[0m \x1b[38;5;208mline\x1b[0m 3\U0001f600\x1b]0;title\x07\x00\n"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Opened:
    """A report in a page of the browser, and what the page did besides showing it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.told: list[str] = []
        page.on("console", lambda message: self.told.append(message.text))
        page.on("pageerror", lambda error: self.told.append(str(error)))
        page.on("dialog", lambda dialog: self.told.append(dialog.message))
        page.on("request", lambda request: self.told.append(request.url))

    def goto(self, path: Path, address: str = "") -> None:
        self.page.goto("about:blank")
        self.told.clear()
        self.page.goto(f"file://{path}{address}")
        self.page.wait_for_selector("html[data-ready]")
        assert self.told == [f"file://{path}"]
        self.told.clear()

    def texts(self, selector: str) -> list[str]:
        return list(self.page.locator(selector).all_inner_texts())

    def js(self, expression: str, argument: Any = None) -> Any:
        return self.page.evaluate(expression, argument)


@pytest.fixture(scope="module")
def the_page(browser: Any) -> Opened:
    return Opened(browser.new_page(viewport={"width": 1280, "height": 800}))


@pytest.fixture
def opened(the_page: Opened) -> Iterator[Opened]:
    yield the_page
    assert the_page.told == []


def entry(name: str, status: TestStatus = TestStatus.PASS, **rest: Any) -> ResultEntry:
    return ResultEntry(**{"name": name, "test": name, "status": status, "place": 0, **rest})


def write(path: Path, *entries: ResultEntry, **record: Any) -> Path:
    def load(entry: ResultEntry) -> ResultRecord:
        return ResultRecord(name=entry.name, status=entry.status.name, **record)

    summary = Summary(run=RUN, entries=entries, load=load)
    path.write_text("".join(HtmlReport().write(summary)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with a few results of each kind."""
    many: list[ResultEntry] = [
        entry(
            f"parser/t{n}",
            status,
            message="" if status is TestStatus.PASS else f"says {n}",
            reason="diff" if status is TestStatus.FAIL else "",
            tags=("smoke",) if n % 2 else ("slow one",),
            driver="diff",
            source=f"tests/parser/t{n}/test.yaml",
            time_s=n / 10,
            cpu_s=n / 20,
            slot=n % 2,
            info={"target": "x86"},
        )
        for n, status in enumerate([*TestStatus, *TestStatus])
    ]
    process = {
        "cmd": ["./calc", "a b"], "cwd": "/w", "status": 1, "wall_s": 0.5, "cpu_s": 0.25,
        "max_rss_bytes": 3 << 20, "output": LOG,
    }  # fmt: skip
    return write(
        tmp_path_factory.mktemp("small") / "report.html",
        *many,
        diff=DIFF,
        expected=EXPECTED,
        out="out\n",
        log=LOG,
        processes=[process],
    )


@pytest.fixture(scope="module")
def storied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of a run with dependent fragments, a flaky test, and two runs before it."""
    first = entry("lib/use", TestStatus.FAIL, message="connection refused")
    entries = [
        entry("lib/build", time_s=2.0, started_s=0.0, slot=0),
        entry("lib/use", time_s=1.0, slot=1, attempt=2, max_attempts=3, earlier=(first,)),
        entry("other", TestStatus.FAIL, time_s=1.5, slot=1, message="exit status 3"),
    ]

    def span(uid: str, slot: int, started: float, ended: float, *after: str) -> FragmentSpan:
        test, _, name = uid.partition(".")
        return FragmentSpan(
            uid=uid, test=test, name=name, slot=slot, started_s=started, ended_s=ended,
            after=after, end="Returned",
        )  # fmt: skip

    spans = [
        span("other.run", 1, 0, 1.5),
        span("lib/build.compile", 0, 0, 1.5),
        span("lib/build.link", 0, 1.5, 2, "lib/build.compile"),
        span("lib/use.run", 1, 2, 3, "lib/build.link"),
    ]
    summary = Summary(
        run=msgspec.structs.replace(
            RUN,
            duration_s=3.0,
            environment={"TOKEN": "(hidden)", "LANG": "C"},
            versions={"Python": "3.11"},
        ),
        entries=entries,
        load=lambda one: ResultRecord(name=one.name, status=one.status.name, log=f"{one.name}\n"),
        spans=lambda: spans,
        history=TwoRuns(),
        changes=compare(TwoRuns.results_of("r1"), entries, against="run r1"),
    )
    path = tmp_path_factory.mktemp("storied") / "report.html"
    path.write_text("".join(HtmlReport().write(summary)), encoding="utf-8")
    return path


class TwoRuns:
    """A history in which ``lib/use`` failed and all else passed."""

    @staticmethod
    def results_of(run_id: str) -> list[PastResult]:
        return [
            PastResult(
                name=name,
                run_id=run_id,
                started_at=RUN.started_at - 3600,
                status=TestStatus.FAIL if name == "lib/use" else TestStatus.PASS,
                time_s=0.5,
                commit="0123456789abcdef",
            )
            for name in ("lib/build", "lib/use", "other")
        ]

    def runs(self, last: int = 20) -> list[PastRun]:
        began = RUN.started_at - 3600
        return [
            PastRun(
                run_id=f"r{n}", suite="calc", started_at=began, failed=1, commit="0123456789abc"
            )
            for n in range(2)
        ]

    def results(self, name: str, last: int = 50) -> list[PastResult]:
        return []

    def recent(self, last: int = 20) -> dict[str, list[PastResult]]:
        both = zip(self.results_of("r0"), self.results_of("r1"), strict=True)
        return {pair[0].name: list(pair) for pair in both}


def rows(opened: Opened) -> list[str]:
    return [text.split("\n")[1] for text in opened.texts(".row")]


def test_ten_thousand_tests_open_and_filter_at_once(tmp_path: Path, opened: Opened) -> None:
    statuses = [TestStatus.PASS] * 98 + [TestStatus.FAIL, TestStatus.SKIP]
    path = write(
        tmp_path / "report.html",
        *(entry(f"dir{n % 50}/test_{n}", statuses[n % 100], message="m") for n in range(10_000)),
        log="a short log\n" * 20,
    )
    opened.goto(path)
    assert float(opened.js("document.documentElement.dataset.ready")) < 10_000  # 200 if quiet
    took_ms = opened.js(
        """async () => {
            const field = document.getElementById("filter");
            const began = performance.now();
            field.value = "test_99";
            field.dispatchEvent(new Event("input", {bubbles: true}));
            await new Promise(requestAnimationFrame);
            await new Promise(requestAnimationFrame);
            return performance.now() - began;
        }"""
    )
    assert took_ms < 2_000  # 25 if quiet
    assert opened.texts(".shown") == ["111 of 10,000 tests"]


def test_only_rows_in_sight_exist_and_scrolling_leaves_no_gap(
    tmp_path: Path, opened: Opened
) -> None:
    path = write(tmp_path / "report.html", *(entry(f"test_{n:04}") for n in range(2_000)))
    opened.goto(path)
    for top in (0, 2_000, 40_000, 10**9):
        opened.js(
            """async (top) => {
                scrollTo(0, top);
                for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
            }""",
            top,
        )
        there, in_sight, wanted = opened.js(
            """() => {
                const rows = [...document.querySelectorAll(".row")];
                const list = document.querySelector(".rows").getBoundingClientRect();
                const height = Math.min(innerHeight, list.bottom) - Math.max(0, list.top);
                const seen = rows.filter((row) => {
                    const place = row.getBoundingClientRect();
                    return place.bottom > 0 && place.top < innerHeight;
                });
                return [rows.length, seen.length, Math.floor(height / 38)];
            }"""
        )
        assert there < 80
        assert in_sight >= wanted > 0


def test_what_wants_a_look_stands_first(small: Path, opened: Opened) -> None:
    opened.goto(small)
    assert rows(opened)[:4] == ["parser/t1", "parser/t9", "parser/t7", "parser/t15"]
    assert opened.texts(".verdict") == ["4 failed"]
    assert opened.texts(".chip")[:3] == [
        "2\nfailed",
        "2\nwith an error",
        "2\npassed unexpectedly",
    ]


QUERIES = {
    "t3": 1,
    "S:FAIL": 2,
    "s:failed": 4,
    "s:fail s:error": 4,
    "s:failed -t9": 3,
    'tag:"slow one" s:passed': 4,
    '-tag:"slow one"': 8,
    "reason:di driver:diff": 2,
    "slot:1 says": 8,
    "name:says": 0,
    "no:key": 0,
    '" "': 16,
    "-": 0,
    '"': 16,
}


def test_the_filter(small: Path, opened: Opened) -> None:
    opened.goto(small)
    found = opened.js(
        """async (queries) => {
            const {Report, unpack, matcher} = testloom;
            const report = new Report(await unpack("index"));
            return queries.map((query) => report.rows.filter(matcher(query)).length);
        }""",
        list(QUERIES),
    )
    assert dict(zip(QUERIES, found, strict=True)) == QUERIES
    opened.goto(small, "#/?q=s%3Afailed")
    assert opened.page.locator(".row").count() == 4


def test_a_chip_puts_its_status_into_the_filter_and_the_address(
    small: Path, opened: Opened
) -> None:
    opened.goto(small)
    opened.page.click(".chip.fail")
    assert opened.page.input_value("#filter") == "s:fail"
    assert rows(opened) == ["parser/t1", "parser/t9"]
    assert opened.page.url.endswith("#/?q=s%3Afail")
    opened.page.click(".chip.fail")
    assert opened.page.url.endswith("#/")


def test_groups_and_orders(small: Path, opened: Opened) -> None:
    opened.goto(small, "#/?group=tag&order=time")
    assert opened.texts(".heading strong") == ["slow one", "smoke"]
    assert rows(opened)[0] == "parser/t14"
    opened.goto(small, "#/?group=constructor&order=nonsense")
    assert opened.texts(".heading strong") == []


def test_a_merged_run_shows_which_shard_a_result_is_from(tmp_path: Path, opened: Opened) -> None:
    parts = (RunPart(name="1/2", jobs=2, host="ci-1"), RunPart(name="2/2", jobs=2, host="ci-2"))
    run = msgspec.structs.replace(RUN, jobs=4, parts=parts)
    summary = Summary(
        run=run,
        entries=[
            *(entry(f"t{slot}", slot=slot) for slot in range(4)),
            entry("idle", TestStatus.SKIP),
        ],
        load=lambda entry: ResultRecord(name=entry.name, status=entry.status.name),
    )
    path = tmp_path / "merged.html"
    path.write_text("".join(HtmlReport().write(summary)), encoding="utf-8")

    opened.goto(path)
    rows = opened.texts(".row .marks")
    assert [text.strip() for text in rows] == ["1/2", "1/2", "2/2", "2/2", ""]
    assert "merged from 2 runs" in opened.texts(".meta span")
    opened.goto(path, "#/?group=shard")
    assert opened.texts(".heading strong") == ["(never ran)", "shard 1/2", "shard 2/2"]
    opened.goto(path, "#/?q=shard:2/2")
    assert opened.texts(".row .name") == ["t2", "t3"]
    opened.goto(path, "#/test/t2")
    assert "2/2 on ci-2" in opened.texts(".facts dd")


def test_keys(small: Path, opened: Opened) -> None:
    opened.goto(small)
    keys = opened.page.keyboard
    keys.press("/")
    keys.type("s:failed")
    keys.press("Escape")
    assert rows(opened) == ["parser/t1", "parser/t9", "parser/t7", "parser/t15"]
    for key in "jjjk":
        keys.press(key)
    opened.page.wait_for_selector(".row[data-number='9']:focus")
    keys.press("Enter")
    opened.page.wait_for_selector("h2:has-text('parser/t9')")
    keys.press("j")
    opened.page.wait_for_selector("h2:has-text('parser/t7')")
    keys.press("Escape")
    opened.page.wait_for_selector("#filter")
    assert opened.page.input_value("#filter") == "s:failed"
    keys.press("?")
    opened.page.wait_for_selector("dialog:has-text('next, previous test')")
    keys.press("Escape")
    opened.page.wait_for_selector("dialog", state="detached")
    assert opened.page.locator(".row").count() == 4


def test_the_page_of_a_test(small: Path, opened: Opened) -> None:
    opened.goto(small, f"#/test/{quote('parser/t1', safe='')}")
    opened.page.wait_for_selector(".tabs")
    assert opened.texts(".command code")[0] == "./run-tests parser/t1"
    facts = dict(text.split("\n") for text in opened.texts(".facts > div"))
    assert facts == {
        "Time": "0.10 s",
        "CPU": "50 ms",
        "Started": "0 ms after the start, slot 1",
        "Driver": "diff",
        "Reason": "diff",
        "Tags": "smoke",
        "Defined in": "tests/parser/t1/test.yaml:1",
        "target": "x86",
    }
    assert opened.texts(".tabs button") == ["Difference", "Log", "Programs", "Files"]
    opened.page.click("text=Programs")
    assert opened.texts(".processes .command code") == ["./calc 'a b'"]
    assert opened.texts(".processes .quiet") == [
        "exit status 1\ntime 0.50 s\nCPU 0.25 s\nmemory 3.0 MiB\nin /w"
    ]
    opened.page.click("text=Files")
    assert opened.texts("#part .log") == [EXPECTED.rstrip(), "out"]


def test_a_difference_side_by_side_and_in_one_column(small: Path, opened: Opened) -> None:
    opened.goto(small, "#/test/parser%2Ft1")
    opened.page.wait_for_selector(".diff")
    assert opened.texts("del, ins") == [" literal"]
    assert opened.texts(".trailing") == ["·"]
    assert opened.texts(".split tr:nth-child(4) td") == ["", "", "5", "\tadded·"]
    opened.page.click("text=Show 2 equal lines")
    assert opened.texts(".split tr:nth-child(2) td") == ["2", "two", "2", "two"]
    opened.page.click("text=Unified")
    signs = opened.js("[...document.querySelectorAll('td.line')].map((td) => td.dataset.sign)")
    assert signs == ["", "", "", "-", "+", "+"]
    opened.page.check("input[type=checkbox]")
    assert opened.texts(".unified tr.added td.line")[1] == "→\tadded·"


def test_a_log_has_the_colours_of_a_terminal_and_nothing_else(small: Path, opened: Opened) -> None:
    opened.goto(small, "#/test/parser%2Ft1")
    opened.page.click("text=Log")
    assert opened.texts("#part .log") == ["error: line 3\U0001f600\\x00"]
    assert opened.texts(".log .bold.fg-1") == ["error:"]
    color = opened.js("getComputedStyle(document.querySelector('.log span[style]')).color")
    assert color == "rgb(255, 135, 0)"
    assert opened.texts(".log .control") == ["\\x00"]


def test_causes(small: Path, opened: Opened) -> None:
    opened.goto(small, "#/causes")
    opened.page.wait_for_selector(".sample")
    assert [text.split("\n")[0] for text in opened.texts(".cause")] == ["2", "2"]
    opened.page.click(".cause a >> nth=0")
    opened.page.wait_for_selector("h2:has-text('parser/t1')")


def test_the_head_tells_what_changed(storied: Path, opened: Opened) -> None:
    opened.goto(storied)
    assert opened.texts(".changes > :not(svg)") == ["1 new failure", "1 fixed", "1 slower", "compared with run r1"]  # fmt: skip
    opened.page.click("text=1 new failure")
    opened.page.wait_for_selector(".shown:has-text('1 of 3 tests')")
    assert rows(opened) == ["other"]
    assert opened.texts(".row .mark") == ["new"]
    opened.page.click("text=1 fixed")
    opened.page.wait_for_selector(".names")
    assert opened.texts(".names") == ["other", "lib/use"]


def test_the_timeline(storied: Path, opened: Opened) -> None:
    opened.goto(storied, "#/timeline")
    opened.page.wait_for_selector("canvas")
    assert "2 slots, busy 75 % of 3.00 s" in opened.texts(".lead")[0]
    steps = [text.split("\t")[0].strip() for text in opened.texts("tbody tr")]
    assert steps == ["lib/build compile", "lib/build link", "lib/use run"]
    place = opened.page.locator("canvas").bounding_box()
    assert place is not None
    # In the second lane nothing runs from 1.5 s to 2 s.
    ran, idle, passed = opened.js(LANE_COLORS, [0.4, 0.6, 0.8])
    assert len({ran, idle, passed}) == 3
    x, y = place["x"] + 40 + (place["width"] - 40) * 0.8, place["y"] + 34
    opened.page.mouse.move(x, y)
    opened.page.wait_for_selector(".tip:has-text('lib/use')")
    assert opened.texts(".tip p") == ["run · 1.00 s, from 2.00 s"]
    opened.page.click("text=Zoom in")
    opened.page.click("text=Whole run")
    opened.page.mouse.click(x, y)
    opened.page.wait_for_selector("h2:has-text('lib/use')")


LANE_COLORS = """(places) => {
    const canvas = document.querySelector("canvas");
    const scale = canvas.width / canvas.clientWidth;
    const lane = canvas.getContext("2d").getImageData(0, 34 * scale, canvas.width, 1).data;
    return places.map((part) => {
        const at = 4 * Math.round((40 + part * (canvas.clientWidth - 40)) * scale);
        return lane.slice(at, at + 3).join();
    });
}"""


def test_the_graph(storied: Path, opened: Opened) -> None:
    opened.goto(storied, "#/graph")
    opened.page.wait_for_selector(".picture")
    assert opened.js("[...document.querySelectorAll('.node title')].map((e) => e.textContent)") == [
        "lib/build compile: 1.50 s", "lib/build link: 0.50 s", "lib/use run: 1.00 s",
    ]  # fmt: skip
    assert opened.page.locator(".edge.critical").count() == 2
    assert "longest chain takes 3.00 s" in opened.texts(".lead")[0]


def test_flaky_tests_and_their_attempts(storied: Path, opened: Opened) -> None:
    opened.goto(storied, "#/flaky")
    assert opened.texts("tbody tr") == ["lib/use\t2/3\t1.00 s"]
    opened.page.click("text=lib/use")
    opened.page.click("text=Attempts")
    assert opened.texts("#part h3") == ["Attempt 1 \nFAIL", "After these \nPASS"]
    opened.page.click("text=History")
    assert opened.texts("tbody tr")[1].split("\t")[1:] == ["\nFAIL", "0123456789ab", "0.50 s"]
    assert opened.page.locator(".bars rect").count() == 3


def test_the_environment_without_its_secrets(storied: Path, opened: Opened) -> None:
    opened.goto(storied, "#/environment")
    told = opened.texts("tbody tr")
    assert {"Python\t3.11", "TOKEN\t(hidden)", "LANG\tC"} < set(told)


def test_pages_without_data_are_not_offered(small: Path, opened: Opened) -> None:
    opened.goto(small)
    assert opened.texts("nav a") == ["Tests16", "Causes2", "Slowest", "Environment"]


def test_a_test_that_is_not_there_is_told(small: Path, opened: Opened) -> None:
    opened.goto(small, "#/test/nonsense%E0%A4%A")
    assert "no test called nonsense%E0%A4%A" in opened.page.inner_text("main")


def test_without_scripts_the_failures_are_shown(browser: Any, small: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"file://{small}")
    assert "FAIL parser/t1: says 1" in page.inner_text("main")
    context.close()


READY = {"#/timeline": "canvas", "#/graph": ".picture", "#/causes": ".cause, .empty"}
"""What there is once a page has unpacked its data."""


def show(opened: Opened, address: str) -> None:
    """Go to another page of the report that is open."""
    opened.js(
        """async (address) => {
            if (location.hash === address) return;
            await new Promise((done) => {
                addEventListener("hashchange", done, {once: true});
                location.hash = address;
            });
            await new Promise(requestAnimationFrame);
        }""",
        address,
    )
    is_test = address.startswith("#/test/")
    opened.page.wait_for_selector("[role=tab]" if is_test else READY.get(address, "main > *"))


PAGES = ("#/", "#/causes", "#/test/parser%2Ft1")
MORE_PAGES = ("#/timeline", "#/graph", "#/changes", "#/flaky", "#/slowest", "#/environment")


@pytest.mark.parametrize("which", ["small", "storied"])
def test_pages_are_accessible(request: Any, opened: Opened, which: str) -> None:
    page = opened.page
    opened.goto(request.getfixturevalue(which))
    page.evaluate(axe.Axe().axe_script)
    for address in PAGES if which == "small" else MORE_PAGES:
        show(opened, address)
        everything = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}
        assert violations(page, everything) == [], address
        if which == "small":
            page.emulate_media(color_scheme="dark")
            assert violations(page, {"runOnly": ["color-contrast"]}) == [], address
            page.emulate_media(color_scheme="light")


def violations(page: Any, rules: dict[str, Any]) -> list[Any]:
    found = page.evaluate(
        "(rules) => axe.run(document, rules)", {**rules, "resultTypes": ["violations"]}
    )
    return [
        (one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found["violations"]
    ]


HOSTILE_NAMES = (
    b"<script>alert(1)<",
    b'"><img src=x onerror=alert(1)>',
    b"javascript:alert(1)",
    b"\x1b[31mred\x1b]0;t\x07",
    b"\xff\xfe<!--",
    "\ufffe\u202etxt".encode(),
)
HOSTILE_TEXTS = (
    "</script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>javascript:alert(1)",
    "\x00\x1b[31m\x1b]8;;javascript:alert(1)\x07\ufffe\uffff\u202e\u2028\ud800\udcff constructor",
    "__proto__",
)
HOSTILE_OUTPUT = b"""<script>alert(1)</script></script>
<a href="javascript:alert(1)" onclick="alert(1)">x</a>]]>
\x00\x1b[31mred\x1b[0m\x1b]8;;javascript:alert(1)\x07link\x1b]8;;\x07 \xff\xfe \xed\xa0\x80 \xef\xbf\xbe\r\n"""


def test_a_hostile_tree_is_inert(tmp_path: Path, opened: Opened) -> None:
    """Names, outputs, messages and paths of a real run, in each page of its report."""
    for name in HOSTILE_NAMES:
        folder = os.path.join(os.fsencode(tmp_path), b"tests", name)
        os.makedirs(folder)
        Path(os.fsdecode(folder), "output").write_bytes(HOSTILE_OUTPUT)
        Path(os.fsdecode(folder), "test.yaml").write_text("cmd: [cat, output]\nstdout: none\n")
    report = tmp_path / "report.html"
    command = [sys.executable, "-P", "-m", "testloom", "tests", "--report", f"html={report}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 1, done
    opened.goto(report)
    names = opened.js("[...document.querySelectorAll('.row')].map((row) => row.hash)")
    assert len(names) == len(HOSTILE_NAMES)
    for address in (*names, "#/causes", "#/slowest", "#/environment", "#/?group=directory"):
        assert_inert(opened, address)
    assert "<script>alert(1)</script>" in opened.js(
        "async () => (await testloom.unpack('block-0'))[0].log"
    )


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_hostile_text_is_inert_on_every_page(tmp_path: Path, opened: Opened, text: str) -> None:
    """What no driver that comes with testloom would do: the same text in every field there is."""
    fields: dict[str, Any] = {
        "message": text, "reason": text, "driver": text, "source": text, "tags": (text,),
        "info": {text: text}, "slot": 0, "time_s": 1.0,
    }  # fmt: skip
    flaky = entry(f"f{text}", earlier=(entry(text, TestStatus.FAIL, message=text),), **fields)
    failed = entry(text, TestStatus.FAIL, **fields)
    past = PastResult(
        name=text, run_id=text, started_at=0.0, status=TestStatus.PASS, commit=text, flaky=text
    )
    span = FragmentSpan(
        uid=text, test=text, name=text, slot=0, started_s=0, ended_s=1, end=text, after=("b",)
    )
    process = {"cmd": [text, text], "cwd": text, "status": 1, "output": text, "errors": text}
    record = ResultRecord(
        name=text, status="FAIL", log=text, diff=f"{text}\n{DIFF}{text}", expected=text, out=text,
        processes=[process],
    )  # fmt: skip

    class Hostile(TwoRuns):
        def runs(self, last: int = 20) -> list[PastRun]:
            return [PastRun(run_id=text, suite=text, started_at=0.0, commit=text)] * 2

        def recent(self, last: int = 20) -> dict[str, list[PastResult]]:
            return {text: [past]}

    summary = Summary(
        run=msgspec.structs.replace(
            RUN, suite=text, root=text, command=(text, text), host=text, platform=text, commit=text,
            stopped=text, environment={text: text}, versions={text: text}, duration_s=1.0,
        ),
        entries=[failed, flaky],
        load=lambda _: record,
        notes=(text,),
        spans=lambda: [msgspec.structs.replace(span, uid="b", after=()), span],
        history=Hostile(),
        changes=compare([past], [failed, flaky], against=text),
    )  # fmt: skip
    path = tmp_path / "report.html"
    path.write_text("".join(HtmlReport().write(summary)), encoding="utf-8")
    opened.goto(path)
    tests = opened.js("[...document.querySelectorAll('.row')].map((row) => row.hash)")
    assert len(tests) == 2
    for address in (*tests, *PAGES[:2], *MORE_PAGES):
        assert_inert(opened, address)


def assert_inert(opened: Opened, address: str) -> None:
    """Go to a page, and to each of its parts, and see that all markup is ours."""
    show(opened, address)
    for tab in opened.page.locator("[role=tab]").all():
        tab.click()
        assert_only_our_markup(opened)
    assert_only_our_markup(opened)


def assert_only_our_markup(opened: Opened) -> None:
    assert (
        opened.js(
            """() => [...document.querySelectorAll("#app *")].filter((element) =>
            /^(SCRIPT|IMG|IFRAME|OBJECT|FORM|BASE|LINK|META)$/.test(element.tagName)
            || [...element.attributes].some(({name, value}) =>
                name.startsWith("on") || (name !== "title" && /^\\s*javascript:/i.test(value)))
            || [...element.attributes].some(({name, value}) =>
                name !== "value" && /[\\x00-\\x08\\x0e-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\ufffe\\uffff]/.test(value))
            || (element.tagName === "A" && !element.getAttribute("href").startsWith("#/"))
        ).map((element) => element.outerHTML)"""
        )
        == []
    )
