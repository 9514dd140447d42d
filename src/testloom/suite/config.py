"""What a project says about its suite: ``testloom.toml``, or ``[tool.testloom]`` of pyproject.toml.

`find_config` looks upwards from a directory, `load_config` reads one file.  Both give a `Config`
whose keys and types have been checked; what is wrong with a file is a `UsageError` that names
the line.  `Config.settings` gives what the file (and one of its profiles) says about the options
of ``run``; `testloom.suite.options` puts that between the defaults and the environment.

Paths in the file are relative to the file's directory, whatever the current directory is.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from testloom.model.errors import UsageError, nearest

FILE_NAME: Final = "testloom.toml"
PYPROJECT: Final = "pyproject.toml"
HISTORY: Final = os.path.join(".testloom", "history.db")
"""Where the history of a project is, relative to its configuration."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One value for one option, from somewhere else than the command line."""

    option: str
    """The long option it stands for, such as ``--jobs``."""
    value: object
    """Text, a number, a truth value, or a list of texts."""
    origin: str
    """Where it comes from, for messages: ``testloom.toml:3: jobs`` or ``TESTLOOM_JOBS``."""


class Values(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """The keys that a project and each of its profiles may set."""

    jobs: int | str | None = None
    timeout: float | str | None = None
    idle_timeout: float | str | None = None
    max_time: float | str | None = None
    output_limit: int | str | None = None
    output_dir: str | None = None
    keep_work: str | None = None
    truncate_logs: int | None = None
    max_consecutive_failures: int | None = None
    order: str | None = None
    fail_on: str | None = None
    known_failures: str | None = None
    retries: int | str | None = None
    retry_delay: float | None = None
    retry_budget: int | None = None
    flaky_fails: bool | None = None
    quarantine: str | None = None
    reports: list[str] | None = None
    distributor: str | None = None
    env: dict[str, str] = {}
    """Added to the environment of every test."""


class Ui(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """What the terminal shows: the table ``ui``."""

    reporter: str | None = None
    color: str | None = None
    durations: int | None = None


class History(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """What is kept of runs: the table ``history``."""

    path: str | None = None
    """A file, the URL of a PostgreSQL database, or ``none``."""
    keep_runs: int | None = None
    keep_days: int | None = None


class Profile(Values, frozen=True, kw_only=True, rename="kebab"):
    """A table ``profile.NAME``: replaces what it sets when ``-P NAME`` is given."""

    reporter: str | None = None
    color: str | None = None
    durations: int | None = None


class Project(Values, frozen=True, kw_only=True, rename="kebab"):
    """The whole of a configuration file."""

    tests: list[str] = []
    """Directories that hold tests; empty: the suite's own choice."""
    suite: str | None = None
    """``file.py:Class``."""
    default_driver: str | None = None
    plugins: list[str] = []
    """Modules with more hooks."""
    ui: Ui = Ui()
    history: History = History()
    profile: dict[str, Profile] = {}


_OPTIONS: Final = {
    "jobs": "--jobs",
    "timeout": "--timeout",
    "idle-timeout": "--idle-timeout",
    "max-time": "--max-time",
    "output-limit": "--output-limit",
    "output-dir": "--output-dir",
    "keep-work": "--keep-work",
    "truncate-logs": "--truncate-logs",
    "max-consecutive-failures": "--max-consecutive-failures",
    "retries": "--retries",
    "retry-delay": "--retry-delay",
    "retry-budget": "--retry-budget",
    "flaky-fails": "--flaky-fails",
    "quarantine": "--quarantine",
    "order": "--order",
    "fail-on": "--fail-on",
    "known-failures": "--known-failures",
    "path": "--history",
    "keep-runs": "--keep-runs",
    "keep-days": "--keep-days",
    "reports": "--report",
    "distributor": "--distributor",
    "reporter": "--reporter",
    "color": "--color",
    "durations": "--durations",
}


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """One configuration file, read and checked."""

    file: str
    """Absolute path."""
    project: Project
    prefix: tuple[str, ...] = ()
    """The table that holds the keys: empty, or ``("tool", "testloom")``."""
    text: str = ""

    @property
    def root(self) -> str:
        """Absolute path of the directory that the file is in."""
        return os.path.dirname(self.file)

    @property
    def roots(self) -> tuple[str, ...]:
        """Absolute paths of the directories that hold tests; empty if the file names none."""
        return tuple(os.path.normpath(os.path.join(self.root, path)) for path in self.project.tests)

    @property
    def suite(self) -> tuple[str, str] | None:
        """Absolute path of the file that defines the suite's class, and the class's name."""
        if self.project.suite is None:
            return None
        file, _, name = self.project.suite.rpartition(":")
        return os.path.normpath(os.path.join(self.root, file)), name

    def where(self, *path: str) -> str:
        """Return ``file:line`` of the key at *path*, for messages."""
        return f"{near_path(self.file)}:{line_of(self.text, (*self.prefix, *path))}"

    def settings(self, profile: str | None = None) -> list[Setting]:
        """Return what the file says about options; what *profile* says comes later in the list.

        Raises:
            UsageError: there is no such profile.
        """
        # Results belong to the project, not to wherever in it the run was started.
        usual = {"--output-dir": "out", "--history": HISTORY}
        found = [
            Setting(option=option, value=anchored(self.root, path), origin=self.where())
            for option, path in usual.items()
        ]
        for path, table in self._tables(profile):
            for key, option in _OPTIONS.items():
                value = getattr(table, key.replace("-", "_"), None)
                if value is not None:
                    origin = f"{self.where(*path, key)}: {key}"
                    found.append(
                        Setting(option=option, value=self._in_place(key, value), origin=origin)
                    )
        return found

    def environment(self, profile: str | None = None) -> dict[str, str]:
        """Return what the file adds to the environment of every test."""
        added = dict(self.project.env)
        if profile is not None:
            added |= self._profile(profile).env
        return added

    def _tables(self, profile: str | None) -> Iterator[tuple[tuple[str, ...], object]]:
        yield (), self.project
        yield ("ui",), self.project.ui
        yield ("history",), self.project.history
        if profile is not None:
            yield ("profile", profile), self._profile(profile)

    def _profile(self, name: str) -> Profile:
        known = self.project.profile
        if name not in known:
            hint = nearest(name, known) or f"; known: {', '.join(sorted(known)) or 'none'}"
            raise UsageError(f"{near_path(self.file)}: no profile is called {name!r}{hint}")
        return known[name]

    def _in_place(self, key: str, value: Any) -> object:
        if key in {"output-dir", "known-failures", "quarantine"}:
            return anchored(self.root, value)
        if key == "path":
            return value if value == "none" or "://" in value else anchored(self.root, value)
        if key == "reports":
            return [_report_in_place(self.root, report) for report in value]
        return value


def find_config(start: str) -> Config | None:
    """Return the configuration of the nearest directory upwards from *start* that has one."""
    directory = os.path.abspath(start)
    while True:
        file = os.path.join(directory, FILE_NAME)
        if os.path.isfile(file):
            return load_config(file)
        file = os.path.join(directory, PYPROJECT)
        if os.path.isfile(file) and (config := _read(file)) is not None:
            return config
        parent = os.path.dirname(directory)
        if parent == directory:
            return None
        directory = parent


def load_config(file: str) -> Config:
    """Read one configuration file.

    Raises:
        UsageError: it cannot be read, or says something that makes no sense.
    """
    config = _read(os.path.abspath(file))
    if config is None:
        raise UsageError(f"{near_path(file)}: there is no table [tool.testloom] in it; add one")
    return config


def line_of(text: str, path: tuple[str, ...]) -> int:
    """Return the line of TOML *text* on which the key or table *path* first stands.

    If it stands on none (it may be inside an inline table), the line of what is around it.
    """
    table: tuple[str, ...] = ()
    around, depth = 1, 0
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            found = table = _parts(header[1])
        elif key := _KEY.match(line):
            found = table + _parts(key[1])
        else:
            continue
        if found[: len(path)] == path:
            return number
        if len(found) > depth and path[: len(found)] == found:
            around, depth = number, len(found)
    return around


def anchored(root: str, path: str) -> str:
    """Return *path*, which is relative to *root*, as a path for the current directory."""
    return near_path(os.path.join(root, path))


def near_path(path: str) -> str:
    """Return *path* relative to the current directory if it lies in it, else absolute."""
    full = os.path.abspath(path)
    here = os.getcwd()
    if full == here or full.startswith(os.path.join(here, "")):
        return os.path.relpath(full, here)
    return full


_PART: Final = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_DOTTED: Final = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER: Final = re.compile(rf"\s*\[\[?\s*({_DOTTED})\s*\]")
_KEY: Final = re.compile(rf"\s*({_DOTTED})\s*=")


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))


def _read(file: str) -> Config | None:
    """Return what *file* says; None if it is a pyproject.toml that says nothing about us."""
    shown = near_path(file)
    try:
        with open(file, encoding="utf-8") as stream:
            text = stream.read()
    except OSError as error:
        raise UsageError(f"{shown}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{shown}: is not UTF-8 text: {error.reason}") from error
    ours = os.path.basename(file) != PYPROJECT
    if not ours and "testloom" not in text:
        return None  # whatever else is wrong with it is not our business
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(_syntax(shown, text, str(error))) from error
    prefix: tuple[str, ...] = ()
    if not ours or list(data) == ["tool"]:
        prefix = ("tool", "testloom")
        tool = data.get("tool")
        if not isinstance(tool, dict) or "testloom" not in tool:
            return None
        data = tool["testloom"]
    blank = Config(file=file, project=Project(), prefix=prefix, text=text)
    return msgspec.structs.replace(blank, project=_checked(blank, data))


def _checked(config: Config, data: object) -> Project:
    if not isinstance(data, dict):
        raise UsageError(f"{config.where()}: 'testloom' must be a table")
    _check_keys(config, data, Project, ())
    for name, kind in (("ui", Ui), ("history", History)):
        table = data.get(name)
        if isinstance(table, dict):
            _check_keys(config, table, kind, (name,))
    profiles = data.get("profile")
    for name, table in profiles.items() if isinstance(profiles, dict) else ():
        if isinstance(table, dict):
            _check_keys(config, table, Profile, ("profile", name))
    try:
        project = msgspec.convert(data, Project)
    except msgspec.ValidationError as error:
        raise UsageError(_wrong_type(config, str(error), data)) from error
    _check_suite(config, project.suite)
    return project


def _check_keys(
    config: Config, table: Mapping[str, object], kind: type[msgspec.Struct], path: tuple[str, ...]
) -> None:
    known = kind.__struct_encode_fields__
    for key in table:
        if key not in known:
            hint = nearest(key, known) or f"; known: {', '.join(sorted(known))}"
            raise UsageError(f"{config.where(*path, key)}: unknown key {key!r}{hint}")


def _check_suite(config: Config, suite: str | None) -> None:
    if suite is None:
        return
    file, _, name = suite.rpartition(":")
    if not file.endswith(".py") or not name.isidentifier():
        raise UsageError(
            f"{config.where('suite')}: suite: {suite!r} does not name a class; "
            "write 'file.py:Class'"
        )


def _syntax(shown: str, text: str, message: str) -> str:
    """Turn ``Invalid value (at line 3, column 8)`` into ``file:3: invalid value (column 8)``."""
    message = message[:1].lower() + message[1:]
    found = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", message)
    if found is None:  # at the end of the document
        return f"{shown}:{max(len(text.splitlines()), 1)}: {message}"
    return f"{shown}:{found[2]}: {found[1]} (column {found[3]})"


_TOML_NAMES: Final = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}


def _wrong_type(config: Config, message: str, data: object) -> str:
    """Turn ``Expected `str`, got `int` - at `$.tests[0]``` into a line that names the key."""
    found = re.fullmatch(r"Expected `(.*)`, got `(.*?)` - at `\$\.?(.*)`", message)
    if found is None:
        return f"{config.where()}: {message}"
    wanted = [kind for kind in found[1].split(" | ") if kind != "null"]
    path = _path_to(found[3], data)
    verb = "must hold" if found[3].endswith("]") and found[3][-2].isdigit() else "must be"
    return (
        f"{config.where(*path)}: {'.'.join(path)!r} {verb} "
        f"{' or '.join(_TOML_NAMES.get(kind, kind) for kind in wanted)}, "
        f"not {_TOML_NAMES.get(found[2], found[2])}"
    )


def _path_to(path: str, data: object) -> tuple[str, ...]:
    """Turn a path such as ``profile[...].jobs`` into keys; ``[...]`` stands for any key."""
    keys: list[str] = []
    for part in re.findall(r"[^.\[\]]+|\[\.\.\.\]", path.replace("`", "")):
        if part == "[...]":
            keys.append(_culprit(data, keys, path))
        elif not part.isdigit():
            keys.append(part)
    return tuple(key for key in keys if key)


def _culprit(data: object, keys: list[str], path: str) -> str:
    """Find the entry of the table at *keys* that is wrong, as the checker does not name it."""
    table: Any = data
    for key in keys:
        table = table[key]
    kind: Any = Profile if path.startswith("profile") and len(keys) == 1 else str
    for name, value in table.items():
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError:
            return str(name)
    return ""


def _report_in_place(root: str, report: str) -> str:
    name, equals, path = report.partition("=")
    return f"{name}={anchored(root, path)}" if equals and path not in {"", "-"} else report
