"""The HTML report as a file: what it holds, what it may do, what hostile text becomes of it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import resource
import tomllib
import zlib
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testloom.model.compare import compare
from testloom.model.history import PastResult, PastRun
from testloom.model.result import ResultRecord
from testloom.model.span import FragmentSpan
from testloom.model.status import TestStatus
from testloom.model.summary import ResultEntry, RunInfo, Summary
from testloom.processes.clock import cpu_now
from testloom.reports import html_details
from testloom.reports.html import HtmlReport

RUN = RunInfo(
    run_id="20261121-003601-00000",
    suite="calc",
    root="/calc",
    output_dir="/calc/out",
    command=("./run-tests", "-j2"),
    jobs=2,
    started_at=1795221361.0,
    duration_s=2.25,
)

ROOT = Path(__file__).parents[2]
RECORD = ResultRecord(name="a", status="PASS")


class Page(HTMLParser):
    """A page in parts."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.styles: list[str] = []
        self.texts: list[str] = []
        self._inside = ""
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append((self.elements[-1][1], data))
        elif self._inside == "style":
            self.styles.append(data)
        elif data.strip():
            self.texts.append(data.strip())

    @property
    def programs(self) -> list[str]:
        """The scripts that a browser would run."""
        return [text for attributes, text in self.scripts if attributes.get("type") != "text/plain"]

    def data(self, name: str) -> Any:
        (packed,) = [text for attributes, text in self.scripts if attributes.get("id") == name]
        return json.loads(zlib.decompress(base64.b64decode(packed, validate=True)))

    @property
    def details(self) -> list[dict[str, Any]]:
        blocks = len(self.data("index")["blocks"])
        return [one for number in range(blocks) for one in self.data(f"block-{number}")]


def entry(name: str, status: TestStatus = TestStatus.PASS, **rest: Any) -> ResultEntry:
    return ResultEntry(**{"name": name, "test": name, "status": status, "place": 0, **rest})


def document(*entries: ResultEntry, run: RunInfo = RUN, **record: Any) -> str:
    def load(entry: ResultEntry) -> ResultRecord:
        return ResultRecord(name=entry.name, status=entry.status.name, **record)

    return "".join(HtmlReport().write(Summary(run=run, entries=entries, load=load)))


def page(*entries: ResultEntry, **record: Any) -> Page:
    return Page(document(*entries, **record))


def test_the_index_has_a_row_for_each_result() -> None:
    index = page(
        entry("a", time_s=0.5),
        entry(
            "b.sub",
            TestStatus.FAIL,
            test="b",
            message="output differs",
            reason="diff",
            time_s=float("nan"),
            cpu_s=0.25,
            slot=1,
            started_s=1.00004,
            driver="diff",
            source="b/test.yaml",
            line=3,
            tags=("smoke",),
        ),
        diff="-a\n+b\n",
    ).data("index")
    rows = {name: values[1] for name, values in index["columns"].items()}
    assert index["last_line"] == "1 passed, 1 failed, 0 skipped"
    assert index["statuses"][rows["status"]] == "FAIL"
    assert {name: rows[name] for name in rows if name != "status"} == {
        "name": "b.sub",
        "test": "b",
        "message": "output differs",
        "reason": "diff",
        "time": None,
        "cpu": 0.25,
        "slot": 1,
        "started": 1.0,
        "driver": "diff",
        "source": "b/test.yaml",
        "line": 3,
        "tags": ["smoke"],
        "cause": 0,
        "memory": 0,
        "flaky": "",
        "new": 0,
        "past": "",
    }


def test_failures_that_say_the_same_have_one_cause() -> None:
    index = page(
        entry("a", TestStatus.FAIL, message="fault at 0x1"),
        entry("b", TestStatus.FAIL, message="fault at 0x2"),
        entry("c", TestStatus.FAIL, message="no such file"),
        entry("d", TestStatus.FAIL),
        entry("e", message="fault at 0x1"),
    ).data("index")
    assert index["columns"]["cause"] == [0, 0, 1, -1, -1]


def test_the_details_hold_logs_and_programs() -> None:
    (details,) = page(
        entry("a b", TestStatus.FAIL, info={"k": "v"}),
        log="l",
        diff="d",
        expected="",
        out_bytes=b"\xff",
        processes=[
            {"cmd": ["./a", b"\xfe"], "cwd": "/w", "status": 1, "max_rss_bytes": 5, "output": "o"},
            {"cmd": None, "status": "odd", "wall_s": 0.5, "errors": 7},
        ],
    ).details
    assert details == {
        "rerun": "./run-tests 'a b'",
        "info": {"k": "v"},
        "log": "l",
        "diff": "d",
        "out": "\\xff",
        "processes": [
            {"cmd": ["./a", "\\xfe"], "cwd": "/w", "status": 1, "max_rss_bytes": 5, "output": "o"},
            {"cmd": [""], "cwd": "", "wall_s": 0.5, "errors": "7"},
        ],
        "more_processes": 0,
    }


def test_a_result_whose_record_is_lost_says_so() -> None:
    def load(_: ResultEntry) -> ResultRecord:
        raise OSError("the journal is damaged")

    summary = Summary(run=RUN, entries=[entry("a", TestStatus.FAIL)], load=load)
    (details,) = Page("".join(HtmlReport().write(summary))).details
    assert details["lost"] == "the journal is damaged"


def test_earlier_attempts_keep_their_logs() -> None:
    tried = entry(
        "a", attempt=2, max_attempts=3, earlier=(entry("a", TestStatus.FAIL, time_s=0.5),)
    )
    found = page(tried, log="l")
    assert found.data("index")["columns"]["flaky"] == ["2/3"]
    (attempt,) = found.details[0]["earlier"]
    assert attempt == {"attempt": 1, "status": "FAIL", "said": "", "time": 0.5, "log": "l"}


class Before:
    """A history of two runs, in which ``a`` passed and failed."""

    statuses: ClassVar[dict[str, tuple[TestStatus, ...]]] = {
        "a": (TestStatus.PASS, TestStatus.FAIL),
        "gone": (TestStatus.SKIP, TestStatus.PASS),
    }

    def runs(self, last: int = 20) -> list[PastRun]:
        assert last >= 2
        return [
            PastRun(run_id=f"r{n}", suite="calc", started_at=100.0 + n, commit="c", failed=n)
            for n in range(2)
        ]

    def results(self, name: str, last: int = 50) -> list[PastResult]:
        raise AssertionError("one read is enough")

    def recent(self, last: int = 20) -> dict[str, list[PastResult]]:
        return {
            name: [
                PastResult(name=name, run_id=f"r{n}", started_at=0.0, status=status, time_s=n + 1.0)
                for n, status in enumerate(statuses)
            ]
            for name, statuses in self.statuses.items()
        }


def test_the_past_of_each_test_and_what_changed() -> None:
    entries = [entry("a", time_s=9.0), entry("b", TestStatus.FAIL)]
    before = [one[-1] for one in Before().recent().values()]
    summary = Summary(
        run=RUN,
        entries=entries,
        load=lambda one: ResultRecord(name=one.name, status="PASS"),
        history=Before(),
        changes=compare(before, entries, against="r1"),
    )
    found = Page("".join(HtmlReport().write(summary)))
    index = found.data("index")
    assert index["columns"]["past"] == ["pf", ""]
    assert index["columns"]["new"] == [0, 1]
    assert [run["failed"] for run in index["runs"]] == [0, 1]
    assert index["usual"] == {"a": 1.5, "b": None}
    assert found.details[0]["past"] == [[0, "PASS", 1.0, ""], [1, "FAIL", 2.0, ""]]
    changes = index["changes"]
    assert (changes["new"], changes["fixed"], changes["gone"]) == (
        {"total": 1, "names": ["b"]},
        {"total": 1, "names": ["a"]},
        {"total": 1, "names": ["gone"]},
    )


def test_unsteady_tests_are_told_the_worst_first() -> None:
    class Unsteady(Before):
        statuses: ClassVar[dict[str, tuple[TestStatus, ...]]] = {
            "once": (TestStatus.PASS, TestStatus.FAIL),
            "twice": (TestStatus.PASS, TestStatus.FAIL, TestStatus.PASS),
            "always": (TestStatus.FAIL, TestStatus.PASS, TestStatus.FAIL, TestStatus.PASS),
        }

    summary = Summary(run=RUN, entries=[], load=lambda _: RECORD, history=Unsteady())
    unsteady = Page("".join(HtmlReport().write(summary))).data("index")["unsteady"]
    assert [(one["name"], one["past"]) for one in unsteady] == [
        ("always", "fpfp"),
        ("twice", "pfp"),
    ]


def test_fragments_know_their_places_and_what_they_followed() -> None:
    def ran(uid: str, slot: int, started: float, ended: float, *after: str) -> FragmentSpan:
        test, _, name = uid.partition(".")
        return FragmentSpan(
            uid=uid, test=test, name=name, slot=slot, started_s=started, ended_s=ended,
            after=after, end="Returned",
        )  # fmt: skip

    spans = [
        ran("a.build", 0, 0, 1),
        ran("b.run", 1, 0, 0.5),
        ran("a.run", 0, 1, 3, "a.build", "x"),
    ]
    summary = Summary(run=RUN, entries=[], load=lambda _: RECORD, spans=lambda: spans)
    found = Page("".join(HtmlReport().write(summary)))
    assert found.data("spans") == {
        "tests": ["a", "b"],
        "test": [0, 1, 0],
        "name": ["build", "run", "run"],
        "slot": [0, 1, 0],
        "started": [0, 0, 1],
        "took": [1, 0.5, 2],
        "end": ["", "", ""],
        "attempt": [1, 1, 1],
        "after": [[], [], [0]],
        "critical": [0, 2],
        "chain": [0, 2],
    }
    assert (found.data("index")["spans"], found.data("index")["edges"]) == (3, 1)


def test_results_find_their_block() -> None:
    found = page(*(entry(f"t{n}", TestStatus.FAIL) for n in range(40)), log="x" * 60_000)
    starts = found.data("index")["blocks"]
    assert len(starts) > 2
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], 40], strict=True)):
        names = [one["rerun"] for one in found.data(f"block-{number}")]
        assert names == [f"./run-tests t{n}" for n in range(start, end)]


def test_logs_of_a_very_large_report_are_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html_details, "_LARGE_BYTES", 1 << 20)
    details = page(*(entry(f"t{n}", TestStatus.FAIL) for n in range(20)), log="x" * 70_000).details
    assert 60_000 < len(details[0]["log"]) <= 64 << 10
    assert 1_900 < len(details[-1]["log"]) <= 2 << 10


def test_the_page_may_run_its_own_program_and_load_nothing() -> None:
    found = page(entry("a"))
    (policy,) = [
        a["content"] for tag, a in found.elements if "content-security-policy" in str(a).lower()
    ]
    (program,), (style,) = found.programs, found.styles

    def hashed(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    assert policy == (
        f"default-src 'none'; script-src 'sha256-{hashed(program)}';"
        f" style-src 'sha256-{hashed(style)}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r"</script|<!--", program)


def test_the_program_makes_no_markup_of_text() -> None:
    assets = resources.files("testloom.reports").joinpath("html_assets")
    own = [file.read_text("utf-8") for file in assets.iterdir() if file.name.endswith(".js")]
    assert not re.search("(?i)innerHTML|outerHTML|insertAdjacent|document.write|eval", "".join(own))


def test_every_page_holds_the_licences_of_its_program() -> None:
    (program,) = page(entry("a")).programs
    assert "Copyright (c) 2015-present Jason Miller" in program
    assert "authors of testloom" in program


def test_every_asset_is_used_and_the_program_fetches_no_source_maps() -> None:
    (program,) = page(entry("a")).programs
    assert "sourceMappingURL" not in program
    assets = resources.files("testloom.reports").joinpath("html_assets")
    for file in (*assets.iterdir(), *assets.joinpath("vendor").iterdir()):
        if file.name.endswith(".js"):
            first = file.read_text("utf-8").splitlines()[0]
            assert first in program, file.name


def test_every_asset_belongs_to_the_package() -> None:
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    patterns = configuration["tool"]["setuptools"]["package-data"]["testloom"]
    package = ROOT / "src" / "testloom"
    packaged = {path for pattern in patterns for path in package.glob(pattern)}
    assets = [path for path in (package / "reports" / "html_assets").rglob("*") if path.is_file()]
    assert assets
    assert [path for path in assets if path not in packaged] == []


def test_without_scripts_the_failures_are_listed() -> None:
    bad = [entry(f"t{n}", TestStatus.FAIL, message="it <broke>\x1b") for n in range(203)]
    texts = " ".join(page(*bad).texts)
    assert "0 passed, 203 failed, 0 skipped in 2.2 s" in texts
    assert "t199 : it <broke>\\x1b" in texts
    assert "t200" not in texts
    assert "and 3 more" in texts


HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "</title></style></pre><!-- ",
    "]]>&amp;&#x3c;",
    "\x00\x1b[31m\x1b]0;t\x07\ufffe\uffff\u202e\u2028",
    "\ud800 \udcff",
]


def assert_inert(document: str) -> None:
    found = Page(document.encode("utf-8").decode("utf-8"))
    assert len(found.programs) == 1
    assert {tag for tag, _ in found.elements} == {
        *("html", "head", "meta", "title", "link", "style", "body", "div", "main", "h1", "p"),
        *("ul", "li", "b", "script"),
    } - ({"li", "b"} if "<li>" not in document else set())
    for _, attributes in found.elements:
        assert not [name for name in attributes if name.startswith("on")]
        assert "javascript:" not in str(attributes.get("href"))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2028\ufffe\uffff]", document)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_inert_wherever_it_stands(text: str) -> None:
    run = RunInfo(
        run_id=text, suite=text, root=text, output_dir=text, command=(text,), jobs=1, started_at=0,
        host=text, platform=text, stopped=text,
    )  # fmt: skip
    hostile = entry(
        text, TestStatus.ERROR, message=text, reason=text, driver=text, source=text, tags=(text,),
        info={text: text},
    )  # fmt: skip
    process = {"cmd": [text, text], "cwd": text, "output": text, "errors": text}
    written = document(
        hostile, run=run, log=text, diff=text, expected=text, out=text, processes=[process]
    )
    assert_inert(written)
    shown = text.encode("utf-8", "backslashreplace").decode()
    index = Page(written).data("index")
    assert (index["columns"]["name"], index["run"]["suite"]) == ([shown], shown)
    assert Page(written).details[0]["processes"][0]["cwd"] == shown


any_text = st.text(st.characters(codec=None))


@given(any_text, any_text)
def test_any_text_makes_a_page_that_parses(name: str, log: str) -> None:
    written = document(entry(name, TestStatus.FAIL, message=name), log=log)
    assert_inert(written)
    assert Page(written).data("index")["columns"]["name"] == [
        name.encode("utf-8", "backslashreplace").decode()
    ]


def test_a_run_without_results_is_a_page() -> None:
    found = page()
    assert found.data("index")["columns"]["name"] == []
    assert found.details == []


@pytest.mark.slow
def test_ten_thousand_results_with_large_logs_take_little_time_and_memory() -> None:
    large = "a line of a log\n" * (1 << 16)

    def load(entry: ResultEntry) -> ResultRecord:
        log = large if entry.place % 100 == 0 else "short\n"
        process = {"cmd": ["./calc"], "cwd": "/w", "status": 0, "output": log, "wall_s": 0.1}
        return ResultRecord(name=entry.name, status="FAIL", log=log, processes=[process])

    entries = [
        entry(f"dir/t{n}", TestStatus.FAIL if n % 100 == 0 else TestStatus.PASS, place=n)
        for n in range(10_000)
    ]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = cpu_now()
    size = sum(map(len, HtmlReport().write(Summary(run=RUN, entries=entries, load=load))))
    assert cpu_now() - started < 5  # 0.5 on a quiet machine
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10
    assert size < 4 << 20
