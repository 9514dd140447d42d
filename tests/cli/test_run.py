"""Which suite a run is of: its class, its root directory, its configuration."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from testloom.cli.main import main
from testloom.cli.run import place
from testloom.model.errors import UsageError

SUITE = """
class Suite:
    def __init__(self, config=None):
        self.config = config
    def testsuite_main(self, args):
        print(self.config.root, args)
        return 0
class Older:
    config = None
    def testsuite_main(self, args):
        print(self.config.root, args)
class Other:
    pass
"""


@pytest.fixture(autouse=True)
def _in_own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("TESTLOOM_")]:
        monkeypatch.delenv(name)
    modules, path = set(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - modules:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(
            sys.modules[name].__file__
        ):
            del sys.modules[name]
    sys.path[:] = path


def project(directory: str, toml: str = "") -> str:
    Path(directory).mkdir(parents=True, exist_ok=True)
    Path(directory, "testloom.toml").write_text(toml)
    return os.path.abspath(directory)


def root_of(*args: str, **environ: str) -> str:
    return place(args, environ)[0]


def refused(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    assert main(args) == 4
    return capsys.readouterr().err.removeprefix("testloom: ").removesuffix("\n")


def test_without_anything_the_current_directory_is_the_root(tmp_path: Path) -> None:
    assert place([], {}) == (str(tmp_path), None)


def test_the_configuration_upwards_says_where_the_root_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(".")
    Path("a/b").mkdir(parents=True)
    monkeypatch.chdir("a/b")
    assert root_of() == root_of(".") == root_of("../b") == str(tmp_path)
    assert root_of(TESTLOOM_ROOT="/") == str(tmp_path)


def test_a_configuration_inside_the_project_does_not_take_over() -> None:
    here = project(".")
    project("tests/data")
    assert root_of("tests/data") == here


def test_paths_outside_of_the_project_bring_their_own_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, there = project("here"), project("there")
    Path("there/sub").mkdir()
    Path("bare").mkdir()
    monkeypatch.chdir("here")
    assert root_of("../there/sub") == there
    assert root_of("../bare") == here


def test_a_directory_without_configuration_is_the_root_itself(tmp_path: Path) -> None:
    Path("suite/a").mkdir(parents=True)
    Path("suite/b").mkdir()
    assert root_of("suite", "-j2") == str(tmp_path / "suite")
    assert root_of("suite/a", "suite/b") == str(tmp_path / "suite")
    assert root_of("no-such") == str(tmp_path)


def test_a_test_alone_has_the_directory_around_it_as_root(tmp_path: Path) -> None:
    Path("suite/a").mkdir(parents=True)
    Path("suite/a/test.yaml").touch()
    assert root_of("suite/a") == root_of("suite/a/test.yaml") == str(tmp_path / "suite")


def test_values_of_options_are_not_taken_for_paths(tmp_path: Path) -> None:
    project("out")
    assert root_of("-o", "out") == str(tmp_path)


def test_a_variable_may_name_the_root(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = project("there")
    Path("bare").mkdir()
    assert root_of(TESTLOOM_ROOT="there") == there
    assert root_of(TESTLOOM_ROOT="bare") == str(tmp_path / "bare")
    os.environ["TESTLOOM_ROOT"] = "none"
    try:
        assert refused(capsys) == (
            "TESTLOOM_ROOT: there is no directory 'none'; name one or unset it"
        )
    finally:
        del os.environ["TESTLOOM_ROOT"]


def test_a_configuration_can_be_named() -> None:
    project(".")
    there = project("there")
    assert root_of("-c", "there/testloom.toml") == there
    assert root_of(TESTLOOM_CONFIG="there/testloom.toml") == there


def test_the_suite_is_the_class_that_the_configuration_names(
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = project(".", "suite = 'sub/the_suite.py:Suite'")
    Path("sub").mkdir()
    Path("sub/the_suite.py").write_text(SUITE)
    assert main(["run", "-x", "a"]) == 0
    assert capsys.readouterr().out == f"{here} ['-x', 'a']\n"


def test_an_older_suite_gets_the_configuration_as_an_attribute(
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = project(".", "suite = 'old_suite.py:Older'")
    Path("old_suite.py").write_text(SUITE)
    assert main([]) == 0
    assert capsys.readouterr().out == f"{here} []\n"


def test_list_is_a_run_that_lists(capsys: pytest.CaptureFixture[str]) -> None:
    here = project(".", "suite = 'list_suite.py:Suite'")
    Path("list_suite.py").write_text(SUITE)
    assert (main(["list", "a"]), main(["list", "a", "--json"])) == (0, 0)
    assert capsys.readouterr().out == (
        f"{here} ['--list', 'a']\n{here} ['--list-format=json', 'a']\n"
    )


def test_a_directory_called_like_a_command_is_written_with_its_path(
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = project(".", "suite = 'dir_suite.py:Suite'")
    Path("dir_suite.py").write_text(SUITE)
    assert main(["./list"]) == 0
    assert capsys.readouterr().out == f"{here} ['./list']\n"


def test_a_suite_that_cannot_be_imported_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project(".", "suite = 'bad_suite.py:Suite'")
    file = tmp_path / "bad_suite.py"
    file.write_text("x = 1\nimport no_such_module\n")
    expected = (
        f"{file}:2: cannot be imported: ModuleNotFoundError: No module named 'no_such_module';"
        " -v shows where"
    )
    assert refused(capsys) == expected
    details = refused(capsys, "-v").splitlines()
    assert (details[0], details[1]) == (expected, "Traceback (most recent call last):")
    file.write_text("def f(:\n")
    assert refused(capsys).startswith(f"{file}:1: cannot be imported: SyntaxError: invalid syntax")
    file.write_text("import sys\nsys.exit('no')\n")
    assert refused(capsys).startswith(f"{file}:2: cannot be imported: SystemExit: no")


def test_a_suite_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project(".", "\nsuite = 'some_suite.py:Suit'")
    assert refused(capsys) == (
        f"testloom.toml:2: suite: there is no file {str(tmp_path / 'some_suite.py')!r}; name another"
    )
    Path("some_suite.py").write_text(SUITE)
    assert refused(capsys) == (
        f"testloom.toml:2: suite: {tmp_path / 'some_suite.py'} has no suite class 'Suit';"
        " did you mean 'Suite'?"
    )
    project(".", "suite = 'json.py:Suite'")
    Path("json.py").touch()
    assert refused(capsys) == (
        f"testloom.toml:1: suite: a module called 'json' exists already;"
        f" rename {tmp_path / 'json.py'}"
    )


def test_a_current_directory_that_is_gone_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(UsageError, match="the current directory: no such file or directory; "):
        place([], {})
