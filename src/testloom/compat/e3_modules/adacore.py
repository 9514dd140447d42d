"""The driver for tests that are a script, with ``test.opt`` for what is special about them.

The suite provides ``env.discs`` (the discriminants) and ``env.test_environ`` (the environment of
the scripts).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import Any, ClassVar

from testloom.compat.e3_modules.drivers import DiffTestDriver
from testloom.compat.e3_modules.opt_files import BadFormattingError, OptFileParse
from testloom.drivers.base import run_dirs
from testloom.drivers.control import TestControl, TestControlCreator, logger
from testloom.drivers.refiners import LineByLine, OutputRefiner, PatternSubstitute
from testloom.model.errors import TestAbortWithError
from testloom.model.status import FailureReason
from testloom.processes.clock import SystemClock
from testloom.processes.files import copy_tree, write_whole

_BASELINE = "test.out"
_LIMIT_S = "780"


class AdaCoreLegacyTestControlCreator(TestControlCreator):
    """Reads the file ``test.opt`` of a test.

    Args:
        system_tags: the discriminants of the run.
        opt_filename: how the file is called.
    """

    def __init__(self, system_tags: list[str], opt_filename: str = "test.opt") -> None:
        self.system_tags = system_tags
        self.opt_filename = opt_filename

    def default_script(self, driver: Any) -> str:
        """Return the script to run if the file names none."""
        for name in ("test.cmd", "test.py", "test.sh"):
            if os.path.isfile(driver.test_dir(name)):
                return name
        return "test.cmd"

    def default_opt_results(self, driver: Any) -> dict[str, str | None]:
        """Return what counts where the file says nothing."""
        return {
            "RLIMIT": _LIMIT_S,
            "DEAD": None,
            "XFAIL": None,
            "SKIP": None,
            "OUT": _BASELINE,
            "CMD": self.default_script(driver),
            "FILESIZE_LIMIT": None,
            "TIMING": None,
            "NOTE": None,
        }

    def create(self, driver: Any) -> TestControl:
        if "control" in driver.test_env or os.path.exists(driver.test_dir("test.yaml")):
            _warn_of_control(driver)
        try:
            parsed = OptFileParse(self.system_tags, driver.test_dir(self.opt_filename))
        except BadFormattingError as error:
            raise RuntimeError(f"{driver.test_dir(self.opt_filename)}: {error}") from error
        found = parsed.get_values(self.default_opt_results(driver))
        dead, skip, xfail = found["DEAD"], found["SKIP"], found["XFAIL"]
        control = TestControl(opt_results=found)
        if parsed.is_dead:
            control.skip, control.message = True, dead
        elif skip is not None:
            control.skip = control.xfail = True
            control.message = skip
        elif xfail is not None:
            control.xfail, control.message = True, xfail
        return control


def _warn_of_control(driver: Any) -> None:
    if "control" in driver.test_env:
        logger.warning(
            '%s: "control" entry found in test.yaml whereas only test.opt files are considered',
            driver.test_name,
        )


class AdaCoreLegacyTestDriver(DiffTestDriver):
    """Runs a script in a copy of the test and compares what it writes with a baseline."""

    copy_test_directory = False
    default_encoding = "binary"
    diff_ignore_white_chars = True

    default_substitutions: ClassVar[list[tuple[re.Pattern[str], str]]] = [
        (re.compile(r"(-o\s*\S+)\.exe\b"), r"\1"),
        (re.compile(r"%(\w+)%"), r'"$\1"'),
        (re.compile(r"[\x1a\r]"), ""),
        (re.compile(r"\bset\s+([^\s=]+)\s*=\s*(\S*)"), r'\1="\2"; export \1'),
    ]
    """What turns a script for Windows into one for a Bourne shell, line by line."""

    @property
    def test_control_creator(self) -> TestControlCreator:
        return AdaCoreLegacyTestControlCreator(self.env.discs)

    @property
    def cmd_substitutions(self) -> list[tuple[re.Pattern[str], str]]:
        """What is replaced in scripts ``*.cmd`` where the shell is a Bourne shell."""
        return self.default_substitutions

    @property
    def script_encoding(self) -> str:
        """How scripts are encoded; by default in a way that keeps all their bytes."""
        return "latin-1"

    @property
    def baseline_file(self) -> tuple[str, bool]:
        opt = self.test_control.opt_results or {}
        return opt.get("OUT") or _BASELINE, False

    @property
    def baseline(self) -> tuple[str | None, Any, bool]:
        name, is_regexp = self.baseline_file
        path = os.path.join(self._source, name)
        with open(path, "rb") as file:
            return path, file.read(), is_regexp

    @property
    def _source(self) -> str:
        return self.working_dir("src")

    def set_up(self) -> None:
        super().set_up()
        opt = self.test_control.opt_results or {}
        name, _ = self.baseline_file
        baseline = self.test_dir(name)
        if name != _BASELINE and not os.path.isfile(baseline):
            raise TestAbortWithError(f"cannot find output file {name}")
        os.makedirs(self.working_dir(), exist_ok=True)
        copy_tree(self.test_dir(), self._source, lambda: run_dirs(self.env))
        if not os.path.isfile(os.path.join(self._source, name)):
            write_whole(os.path.join(self._source, name), b"")
        script = opt["CMD"] or ""
        if not os.path.isfile(os.path.join(self._source, script)):
            raise TestAbortWithError(f"cannot find script file {script}")

    def get_script_command_line(self) -> list[str]:
        """Return what runs the script; one for a shell is written to ``__test.sh`` first."""
        script = str((self.test_control.opt_results or {})["CMD"])
        path = os.path.join(self._source, script)
        extension = os.path.splitext(script)[1]
        if extension == ".py":
            return [sys.executable, path]
        is_windows = self.env.host.os.name == "windows" and "FORCE_SH" not in self.env.discs
        if extension.startswith(".cmd") and is_windows:
            return ["cmd.exe", "/q", "/c", path]
        with open(path, encoding=self.script_encoding, newline="") as file:
            lines = file.read().split("\n")
        if extension.startswith(".cmd"):
            lines = [self._translated(line) for line in lines]
        shell = self.working_dir("__test.sh")
        text = "\n".join([*self._preamble(), *lines])
        write_whole(shell, text.encode(self.script_encoding))
        return ["bash", shell]

    def _preamble(self) -> list[str]:
        lines = ["PATH=.:$PATH; export PATH"]
        support = self.env.test_environ.get("TEST_SUPPORT_DIR")
        if support and os.path.isfile(os.path.join(support, "support.sh")):
            lines.append(". $TEST_SUPPORT_DIR/support.sh")
        return lines

    def _translated(self, line: str) -> str:
        for pattern, replacement in self.cmd_substitutions:
            line = pattern.sub(replacement, line)
        return line

    @property
    def output_refiners(self) -> Sequence[OutputRefiner[Any]]:
        """Make nothing of backslashes, ``.exe``, carriage returns and the working directory."""
        wd = os.path.basename(self.working_dir()).encode()
        return [
            LineByLine(PatternSubstitute(rb"\\", b"/")),
            LineByLine(PatternSubstitute(rb"(\.exe\b|\r)", b"")),
            LineByLine(PatternSubstitute(rb"[^ '\"]*" + re.escape(wd) + rb"/src/", b"")),
        ]

    def run(self) -> None:
        limit = (self.test_control.opt_results or {}).get("RLIMIT")
        timeout = int(limit) if limit and limit.isdecimal() else int(_LIMIT_S)
        clock = SystemClock()
        started_at = clock.now()
        self.process = self.shell(
            self.get_script_command_line(),
            cwd=self._source,
            env=self.env.test_environ,
            catch_error=False,
            timeout=timeout,
        )
        self.result.time = clock.now() - started_at

    def compute_failures(self) -> list[str]:
        name, _ = self.baseline_file
        failures = super().compute_failures()
        if failures and self.rewrite_baseline:
            self._propagate(name)
        if self.process_may_have_timed_out(self.process):
            self.result.failure_reasons.add(FailureReason.TIMEOUT)
            failures.append("test timed out")
        return failures

    def _propagate(self, name: str) -> None:
        """Copy a baseline that was rewritten to where the test is defined."""
        with open(os.path.join(self._source, name), "rb") as file:
            content = file.read()
        target = self.test_dir(name)
        if content or name != _BASELINE:
            write_whole(os.path.realpath(target), content)
        elif os.path.exists(target):
            os.unlink(target)
