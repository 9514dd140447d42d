"""Configuration files: where they are found, what they may say, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from testloom.model.errors import UsageError
from testloom.suite.config import (
    Config,
    Profile,
    Project,
    Setting,
    Ui,
    find_config,
    line_of,
    load_config,
)


@pytest.fixture(autouse=True)
def _in_own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def config(text: str, name: str = "testloom.toml") -> Config:
    Path(name).write_text(text)
    return load_config(name)


def refused(text: str, name: str = "testloom.toml") -> str:
    with pytest.raises(UsageError) as error:
        config(text, name)
    return str(error.value)


def test_every_key_is_read() -> None:
    text = """
        tests = ["tests", "more/tests"]
        suite = "sub/suite.py:MySuite"
        default-driver = "diff"
        jobs = "auto"
        timeout = 60
        output-dir = "res"
        keep-work = "failing"
        truncate-logs = 100
        max-consecutive-failures = 9
        reports = ["html", "junit=out/junit.xml"]
        plugins = ["mine"]
        [env]
        LC_ALL = "C"
        [ui]
        reporter = "lines"
        color = "never"
        durations = 3
        [profile.ci]
        jobs = 2
        durations = 0
        [profile.ci.env]
        CI = "1"
    """
    assert config(text).project == Project(
        tests=["tests", "more/tests"],
        suite="sub/suite.py:MySuite",
        default_driver="diff",
        jobs="auto",
        timeout=60.0,
        output_dir="res",
        keep_work="failing",
        truncate_logs=100,
        max_consecutive_failures=9,
        reports=["html", "junit=out/junit.xml"],
        plugins=["mine"],
        env={"LC_ALL": "C"},
        ui=Ui(reporter="lines", color="never", durations=3),
        profile={"ci": Profile(jobs=2, durations=0, env={"CI": "1"})},
    )


def test_an_empty_file_says_nothing() -> None:
    assert config("").project == Project()


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a/b").mkdir(parents=True)
    found = config('tests = ["t"]\nsuite = "s.py:S"\nreports = ["html=h", "tap=-", "json"]')
    monkeypatch.chdir("a/b")
    assert found.root == str(tmp_path)
    assert found.roots == (str(tmp_path / "t"),)
    assert found.suite == (str(tmp_path / "s.py"), "S")
    assert [(s.option, s.value) for s in found.settings()] == [
        ("--output-dir", str(tmp_path / "out")),
        ("--history", str(tmp_path / ".testloom" / "history.db")),
        ("--report", [f"html={tmp_path}/h", "tap=-", "json"]),
    ]


def test_settings_say_where_they_come_from_and_the_profile_comes_last() -> None:
    found = config("jobs = 3\n\n[ui]\ncolor = 'never'\n\n[profile.ci]\njobs = 4\ncolor = 'auto'\n")
    assert found.settings("ci") == [
        Setting(option="--output-dir", value="out", origin="testloom.toml:1"),
        Setting(option="--history", value=".testloom/history.db", origin="testloom.toml:1"),
        Setting(option="--jobs", value=3, origin="testloom.toml:1: jobs"),
        Setting(option="--color", value="never", origin="testloom.toml:4: color"),
        Setting(option="--jobs", value=4, origin="testloom.toml:7: jobs"),
        Setting(option="--color", value="auto", origin="testloom.toml:8: color"),
    ]


def test_a_history_is_a_file_of_the_project_or_a_database_elsewhere_or_nothing() -> None:
    places = {"h.db": "h.db", "/h.db": "/h.db", "postgresql://host/db": "postgresql://host/db"}
    found = {
        place: config(f"[history]\npath = '{place}'\nkeep-runs = 3").settings()[2:]
        for place in (*places, "none")
    }
    assert {place: [(s.option, s.value) for s in those] for place, those in found.items()} == {
        place: [("--history", value), ("--keep-runs", 3)]
        for place, value in {**places, "none": "none"}.items()
    }
    assert refused("[history]\npaht = 'x'") == (
        "testloom.toml:2: unknown key 'paht'; did you mean 'path'?"
    )


def test_a_profile_adds_to_the_environment() -> None:
    found = config("[env]\nA = '1'\nB = '1'\n[profile.ci.env]\nB = '2'")
    assert found.environment() == {"A": "1", "B": "1"}
    assert found.environment("ci") == {"A": "1", "B": "2"}


def test_a_profile_that_is_not_there_is_named_with_the_nearest() -> None:
    found = config("[profile.nightly]\njobs = 1")
    with pytest.raises(UsageError) as error:
        found.settings("nightl")
    assert str(error.value) == (
        "testloom.toml: no profile is called 'nightl'; did you mean 'nightly'?"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\ntets = []", "testloom.toml:2: unknown key 'tets'; did you mean 'tests'?"),
        ("[ui]\n\ncolour = 'no'", "testloom.toml:3: unknown key 'colour'; did you mean 'color'?"),
        (
            "jobs = 1\n[profile.ci]\njbos = 2",
            "testloom.toml:3: unknown key 'jbos'; did you mean 'jobs'?",
        ),
        (
            "[ui]\nzzz = 1",
            "testloom.toml:2: unknown key 'zzz'; known: color, durations, reporter",
        ),
        ("tests = 'a'", "testloom.toml:1: 'tests' must be a list, not text"),
        ("tests = ['a', 3]", "testloom.toml:1: 'tests' must hold text, not a whole number"),
        (
            "jobs = true",
            "testloom.toml:1: 'jobs' must be a whole number or text, not true or false",
        ),
        (
            "[env]\nA = 'x'\nB = 1",
            "testloom.toml:3: 'env.B' must be text, not a whole number",
        ),
        (
            "[profile.a]\n[profile.b]\ntruncate-logs = 'x'",
            "testloom.toml:3: 'profile.b.truncate-logs' must be a whole number, not text",
        ),
        ("ui = 3", "testloom.toml:1: 'ui' must be a table, not a whole number"),
        ("profile = 3", "testloom.toml:1: 'profile' must be a table, not a whole number"),
        (
            "suite = 'suite.py'",
            "testloom.toml:1: suite: 'suite.py' does not name a class; write 'file.py:Class'",
        ),
        ("\njobs = \n", "testloom.toml:2: invalid value (column 8)"),
        ("\njobs =", "testloom.toml:2: invalid value (at end of document)"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, message: str) -> None:
    assert refused(text) == message


def test_a_file_that_is_no_text_or_not_there_is_refused() -> None:
    Path("testloom.toml").write_bytes(b"jobs = '\xff'")
    with pytest.raises(UsageError, match=r"testloom\.toml: is not UTF-8 text"):
        load_config("testloom.toml")
    with pytest.raises(UsageError, match=r"none\.toml: cannot be read: No such file"):
        load_config("none.toml")


def test_pyproject_has_its_own_table() -> None:
    text = "[project]\nname = 'x'\n\n[tool.testloom]\njobs = 3\n[tool.testloom.ui]\ndurations = 1"
    found = config(text, "pyproject.toml")
    assert [s.origin for s in found.settings()] == [
        "pyproject.toml:4",
        "pyproject.toml:4",
        "pyproject.toml:5: jobs",
        "pyproject.toml:7: durations",
    ]
    assert refused("[tool.testloom]\njbs = 1", "pyproject.toml") == (
        "pyproject.toml:2: unknown key 'jbs'; did you mean 'jobs'?"
    )
    assert refused("[tool.ruff]", "pyproject.toml") == (
        "pyproject.toml: there is no table [tool.testloom] in it; add one"
    )


def found_from(start: str) -> str | None:
    found = find_config(start)
    return None if found is None else str(Path(found.file).relative_to(Path.cwd()))


def test_the_nearest_configuration_upwards_is_found() -> None:
    Path("a/b/c").mkdir(parents=True)
    Path("testloom.toml").write_text("")
    assert found_from("a/b/c") == "testloom.toml"
    Path("a/pyproject.toml").write_text("[tool.testloom]")
    assert found_from("a/b/c") == "a/pyproject.toml"
    Path("a/testloom.toml").write_text("")
    assert found_from("a/b/c") == "a/testloom.toml"
    Path("a/b/pyproject.toml").write_text("[tool.other]\nbroken = ")
    assert found_from("a/b/c") == "a/testloom.toml"


def test_where_there_is_no_configuration_none_is_found() -> None:
    assert find_config("/") is None


def test_lines_of_keys_are_found_in_all_spellings() -> None:
    text = 'a = 1\n"b c".d = 2\n[t.u]\nx = """\ny = 0\n"""\nz={k=1}\n[[l]]\nm = 3\n'
    lines = {
        ("a",): 1,
        ("b c", "d"): 2,
        ("t",): 3,
        ("t", "u", "z"): 7,
        ("t", "u", "z", "k"): 7,
        ("l", "m"): 9,
        ("nowhere",): 1,
    }
    assert {path: line_of(text, path) for path in lines} == lines
