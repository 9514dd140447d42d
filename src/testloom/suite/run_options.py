"""The options of a run as one value: inside, an option exists, is valid and has a unit."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from typing import Any, Final

import msgspec

from testloom.model.errors import UsageError
from testloom.suite import values

DEFAULT_TIMEOUT_S: Final = 3600.0
"""Limit of a fragment where nobody says anything: no run hangs for ever."""


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a run, valid by being there."""

    paths: tuple[str, ...] = ()
    """What the user named: directories, files, patterns of names; empty for everything."""
    keyword: str = ""
    tags: str = ""
    exclude: tuple[str, ...] = ()
    list_format: str | None = None
    """List the tests as ``text`` or ``json`` instead of running them."""
    list_json_file: str | None = None
    """Write e3-testsuite's JSON list of the tests to this file instead of running them."""
    jobs: int = 1
    timeout_s: float | None = DEFAULT_TIMEOUT_S
    """Limit of one fragment."""
    idle_timeout_s: float | None = None
    """How long a program may write nothing."""
    output_limit_bytes: int | None = None
    """How much a program may write."""
    max_time_s: float | None = None
    """Limit of the run as a whole."""
    slow_s: float | None = None
    """After how long to say of a fragment that it still runs; None for the usual time."""
    max_failures: int | None = None
    max_consecutive_failures: int | None = None
    retries: str = "0"
    """See `testloom.suite.retries.Retries.parse`."""
    retry_delay_s: float = 0.0
    retry_budget: int | None = None
    """How many retries the run has in all; None for any number."""
    flaky_fails: bool = False
    quarantine: str | None = None
    repeat: int = 1
    until_fail: bool = False
    shard: str | None = None
    """``K/N``."""
    shard_times: str | None = None
    """The run by whose times tests are divided."""
    archive: str | None = None
    """Write the run as one file to this path."""
    resume: str | None = None
    """The run to go on with, as `testloom.journal.rundir.find_run` takes it."""
    start_method: str = "fork"
    isolate: str = "none"
    """``pidns``: each worker has a PID namespace of its own."""
    distributor: str | None = None
    """``MODULE:FACTORY``: the batch system whose nodes run fragments, in place of slots here."""
    no_capture: bool = False
    pdb: bool = False
    cleanup_mode: str = "passing"
    temp_dir: str | None = None
    """Where the working directory is made; None for the system's place."""
    random_temp_subdir: bool = True
    update_baselines: bool = False
    reporter: str = "auto"
    color: str = "auto"
    show_error_output: bool = False
    show_time_info: bool = False
    durations: int = 0
    verbosity: int = 0
    """How often ``-v`` was given, less how often ``-q`` was."""
    output_dir: str = "out"
    reports: tuple[str, ...] = ()
    """``FORMAT`` or ``FORMAT=PATH``; which formats there are is not known here."""
    xunit_output: str | None = None
    truncate_logs: int = 200
    """Lines kept of each end of a log; 0 keeps all."""
    failure_exit_code: int = 1
    dump_environ: bool = False
    build: str | None = None
    host: str | None = None
    target: str | None = None
    log_file: str | None = None
    profile: str | None = None
    last_failed: str | None = None
    """Run only what failed in this run, named as `find_run` wants it."""
    failed_first: bool = False
    new_first: bool = False
    order: str = "auto"
    """Whether earlier runs decide about the order, it is as tests are ``given``, or ``random``."""
    seed: int | None = None
    """What a random order depends on, if somebody said so."""
    history: str = ""
    """Where it is kept; ``none`` for nowhere, empty for the usual place."""
    keep_runs: int = 200
    """How many runs it keeps; 0 for all."""
    keep_days: int = 90
    fail_on: str = "any"
    """Whether ``any`` failure makes the run fail, or only ``new`` ones."""
    against: str | None = None
    """The run whose failures are not new."""
    known_failures: str | None = None
    """The file that lists failures that are not new."""
    update_known_failures: bool = False

    def __post_init__(self) -> None:
        _check("--jobs", values.jobs_in_range, self.jobs)
        for option, seconds in (
            ("--timeout", self.timeout_s),
            ("--idle-timeout", self.idle_timeout_s),
            ("--max-time", self.max_time_s),
            ("--slow", self.slow_s),
        ):
            _check(option, values.seconds_in_range, seconds)
        _check("--failure-exit-code", values.exit_code_in_range, self.failure_exit_code)
        for option, number in (
            ("--max-failures", self.max_failures),
            ("--max-consecutive-failures", self.max_consecutive_failures),
            ("--durations", self.durations),
            ("--truncate-logs", self.truncate_logs),
            ("--keep-runs", self.keep_runs),
            ("--keep-days", self.keep_days),
            ("--seed", self.seed or 0),
        ):
            _check(option, values.not_negative, number)
        for option, word, words in (
            ("--list-format", self.list_format, values.LIST_FORMATS),
            ("--start-method", self.start_method, values.START_METHODS),
            ("--isolate", self.isolate, values.ISOLATIONS),
            ("--cleanup-mode", self.cleanup_mode, values.CLEANUP_MODES),
            ("--reporter", self.reporter, values.REPORTERS),
            ("--color", self.color, values.COLORS),
            ("--order", self.order, values.ORDERS),
            ("--fail-on", self.fail_on, values.FAIL_ON),
        ):
            _check(option, values.one_of(*words), word)
        _check("--distributor", values.factory_text, self.distributor)
        if self.distributor and self.in_process:
            raise UsageError(
                "--distributor: a node of a cluster has no terminal; "
                "leave out --no-capture and --pdb, or --distributor"
            )
        if self.isolate != "none" and (self.in_process or self.distributor):
            raise UsageError(
                "--isolate: there is no worker here to isolate; "
                "leave it out, or --no-capture, --pdb and --distributor"
            )
        for report in self.reports:
            _check("--report", values.report_text, report)
        if not self.output_dir:
            raise UsageError("--output-dir: the name is empty; name a directory")
        if self.known_failures is None and self.update_known_failures:
            raise UsageError("--update-known-failures: there is no file; add --known-failures FILE")
        if self.seed is not None and self.order not in {"auto", "random"}:
            raise UsageError(f"--seed: --order {self.order} is not random; keep one of them")
        if self.against is not None and self.known_failures is not None:
            raise UsageError("--against and --known-failures both say what is new; keep one")

    @property
    def in_process(self) -> bool:
        """Whether fragments run in the main process, with its terminal."""
        return self.no_capture or self.pdb

    def seed_for(self, run_id: str) -> int | None:
        """Return what the random order of the run depends on; None if it is not random."""
        if self.order == "random" and self.seed is None:
            # Run ids are different; a number that is short can be typed.
            return zlib.crc32(run_id.encode()) % 1_000_000
        return self.seed

    @property
    def is_whole(self) -> bool:
        """Whether no test is left out because of what the user asked for."""
        narrowed = (self.paths, self.keyword, self.tags, self.exclude, self.last_failed, self.shard)
        return not any(narrowed)


def _check(option: str, check: Callable[[Any], object], value: object) -> None:
    try:
        check(value)
    except values.BadValueError as error:
        raise UsageError(f"{option}: {error}") from None


def limit_of(seconds: float | None) -> float | None:
    """Return the limit that an option stands for: not given, ``none`` or a number."""
    if seconds is None:
        return DEFAULT_TIMEOUT_S
    return None if seconds == math.inf else seconds
