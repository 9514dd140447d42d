"""The options of a run: spelling, values, and which of several places counts."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from testloom.console import choose
from testloom.model.errors import UsageError
from testloom.suite import values
from testloom.suite.config import load_config
from testloom.suite.options import (
    CommandLine,
    Parser,
    build_parser,
    read_command_line,
    run_options,
)
from testloom.suite.run_options import RunOptions


def parsed(*args: str, environ: Mapping[str, str] | None = None) -> RunOptions:
    return read_command_line(build_parser("run-tests"), args, environ=environ or {}).options


def refused(*args: str, environ: Mapping[str, str] | None = None) -> str:
    with pytest.raises(UsageError) as error:
        parsed(*args, environ=environ)
    return str(error.value)


def in_project(
    tmp_path: Path, toml: str, *args: str, environ: Mapping[str, str] | None = None
) -> CommandLine:
    file = tmp_path / "testloom.toml"
    file.write_text(toml)
    return read_command_line(
        build_parser("run-tests"), args, config=load_config(str(file)), environ=environ or {}
    )


def test_without_options_a_run_takes_all_tests_and_one_slot_for_each_core() -> None:
    assert parsed() == RunOptions(jobs=len(os.sched_getaffinity(0)))


def test_every_option_reaches_the_options_of_the_run() -> None:
    line = (
        "a b -k add -m smoke --exclude x --exclude y --list-json l.json -j3 --timeout 2.5"
        " --max-failures 4 -M5 --start-method spawn --cleanup-mode all -t tmp"
        " --no-random-temp-subdir -u --reporter lines --color never -E --show-time-info"
        " --durations 6 -vv -q -o res --report html --report junit=j.xml --xunit-output x.xml"
        " -T7 --failure-exit-code 8 --dump-environ --build b --host h --target t --log-file f"
    )
    assert parsed(*line.split()) == RunOptions(
        paths=("a", "b"),
        keyword="add",
        tags="smoke",
        exclude=("x", "y"),
        list_json_file="l.json",
        jobs=3,
        timeout_s=2.5,
        max_failures=4,
        max_consecutive_failures=5,
        start_method="spawn",
        cleanup_mode="all",
        temp_dir="tmp",
        random_temp_subdir=False,
        update_baselines=True,
        reporter="lines",
        color="never",
        show_error_output=True,
        show_time_info=True,
        durations=6,
        verbosity=1,
        output_dir="res",
        reports=("html", "junit=j.xml"),
        xunit_output="x.xml",
        truncate_logs=7,
        failure_exit_code=8,
        dump_environ=True,
        build="b",
        host="h",
        target="t",
        log_file="f",
    )


def test_paths_and_options_may_be_mixed() -> None:
    options = parsed("a", "-j2", "b", "-x", "c", "--", "-d")
    assert (options.paths, options.jobs) == (("a", "b", "c", "-d"), 2)


@pytest.mark.parametrize("text", ["0", "auto"])
def test_no_number_of_jobs_means_the_cores_that_may_be_used(text: str) -> None:
    assert parsed("-j", text).jobs == values.cores()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-1", "-j/--jobs: -1 slots cannot run anything; write 1 or more, or 'auto'"),
        (
            "x",
            "-j/--jobs: 'x' is not a whole number; write a number, or 'auto' for one slot per core",
        ),
        (
            "",
            "-j/--jobs: '' is not a whole number; write a number, or 'auto' for one slot per core",
        ),
        (
            "1e9",
            "-j/--jobs: '1e9' is not a whole number; write a number, or 'auto' for one slot per core",
        ),
        (
            "1000000000",
            "-j/--jobs: 1000000000 slots are too many; write at most 1024, or 'auto' for one per core",
        ),
    ],
)
def test_a_number_of_jobs_that_makes_no_sense_is_refused(text: str, message: str) -> None:
    assert refused("-j", text) == message


def test_a_thousand_jobs_are_fine() -> None:
    assert parsed("-j1000").jobs == 1000


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "-inf", "1e300"])
def test_a_timeout_that_is_no_limit_is_refused(text: str) -> None:
    assert refused(f"--timeout={text}").startswith(f"--timeout: {float(text):g} s is ")


def test_a_timeout_with_a_unit_is_refused_with_what_to_write() -> None:
    assert refused("--timeout", "5s") == (
        "--timeout: '5s' is not a number of seconds; write 5 for five seconds, or 'none'"
    )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--jbos", "3"], "unknown option '--jbos'; did you mean '--jobs'?"),
        (["-Q"], "unknown option '-Q'; run-tests --help lists those there are"),
        (["-j2", "-j3"], "-j/--jobs: given twice; keep one of them"),
        (["-j"], "-j/--jobs: expected one argument"),
        (["--output", "x"], "unknown option '--output'; did you mean '--output-dir'?"),
        (
            ["--keep-work=failng"],
            "--keep-work: 'failng' is not one of none, failing, all; did you mean 'failing'?",
        ),
        (["--max-failures=-1"], "--max-failures/--maxfail: -1 is negative; write 0 or more"),
        (
            ["--failure-exit-code=256"],
            "--failure-exit-code: no process can exit with 256; write 0 to 255",
        ),
        (["--report=junit="], "--report: 'junit=' is not a report; write FORMAT or FORMAT=PATH"),
        (["-o", ""], "--output-dir: the name is empty; name a directory"),
        (["-Pci"], "--profile ci: there is no testloom.toml to find it in"),
    ],
)
def test_a_wrong_command_line_is_refused_in_one_line(args: list[str], message: str) -> None:
    assert refused(*args) == message


def test_where_asked_for_a_wrong_command_line_exits_as_argparse_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    parser = build_parser("suite.py", error_exit_code=2)
    with pytest.raises(SystemExit) as end:
        read_command_line(parser, ["--jbos"], environ={})
    assert end.value.code == 2
    assert capsys.readouterr().err == (
        "usage: suite.py [PATH...] [option...]\n"
        "suite.py: error: unknown option '--jbos'; did you mean '--jobs'?\n"
    )


def test_fail_fast_is_one_failure() -> None:
    assert parsed("-x").max_failures == 1
    assert parsed("--maxfail=0").max_failures is None


def test_what_needs_the_terminal_runs_here_and_one_at_a_time() -> None:
    for flag in ("-s", "--pdb"):
        options = parsed(flag, "-j8")
        assert (options.jobs, options.in_process) == (1, True)


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ([], (None, True, "passing")),
        (["-d"], ("tmp", False, "none")),
        (["-d", "mine"], ("mine", False, "none")),
        (["-d", "mine", "--cleanup-mode=all"], ("mine", False, "all")),
        (["--disable-cleanup"], (None, True, "none")),
        (["--disable-cleanup", "--cleanup-mode=passing"], (None, True, "passing")),
        (["--keep-work=none"], (None, True, "all")),
        (["--keep-work=failing"], (None, True, "passing")),
        (["--keep-work=all"], (None, True, "none")),
    ],
)
def test_options_that_stand_for_others(args: list[str], expected: object) -> None:
    options = parsed(*args)
    assert (options.temp_dir, options.random_temp_subdir, options.cleanup_mode) == expected


def test_a_temporary_directory_on_the_command_line_is_stronger_than_one_to_develop_in_elsewhere() -> (
    None
):
    options = parsed("-t", "here", environ={"TESTLOOM_DEV_TEMP": "there"})
    assert (options.temp_dir, options.random_temp_subdir) == ("here", True)


def test_what_is_derived_stands_in_the_namespace_too() -> None:
    namespace = read_command_line(build_parser("t"), ["-d", "-s", "-j4"], environ={}).namespace
    assert (namespace.temp_dir, namespace.cleanup_mode, namespace.jobs) == ("tmp", "none", 1)
    assert (namespace.timeout, namespace.tags, namespace.reports) == (None, "", [])


def test_options_of_logging_are_those_that_e3_reads() -> None:
    namespace = read_command_line(build_parser("t"), ["-v"], environ={}).namespace
    wanted = ("verbose", "log_file", "loglevel", "nocolor", "json_logs", "console_logs")
    assert [getattr(namespace, name) for name in wanted] == [1, None, 20, False, False, None]


def test_each_long_option_has_a_variable_in_the_environment() -> None:
    options = parsed(
        environ={
            "TESTLOOM_JOBS": "5",
            "TESTLOOM_KEEP_WORK": "all",
            "TESTLOOM_FAIL_FAST": "yes",
            "TESTLOOM_SHOW_ERROR_OUTPUT": "1",
            "TESTLOOM_PDB": "0",
            "TESTLOOM_VERBOSE": "2",
            "TESTLOOM_REPORT": "html junit=j.xml",
            "TESTLOOM_LIST_FORMAT": "json",
            "TESTLOOM_MAX_CONSECUTIVE_FAILURES": "7",
            "TESTLOOM_UNKNOWN": "is nobody's business",
        }
    )
    assert options == RunOptions(
        jobs=5,
        cleanup_mode="none",
        max_failures=1,
        show_error_output=True,
        verbosity=2,
        reports=("html", "junit=j.xml"),
        list_format="json",
        max_consecutive_failures=7,
    )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "TESTLOOM_JOBS",
            "x",
            "TESTLOOM_JOBS: 'x' is not a whole number; write a number, or 'auto' for one slot per core",
        ),
        ("TESTLOOM_PDB", "maybe", "TESTLOOM_PDB: 'maybe' is neither yes nor no; write 1 or 0"),
        (
            "TESTLOOM_COLOR",
            "alway",
            "TESTLOOM_COLOR: 'alway' is not one of auto, always, never; did you mean 'always'?",
        ),
    ],
)
def test_a_variable_that_makes_no_sense_is_named(name: str, value: str, message: str) -> None:
    assert refused(environ={name: value}) == message


def test_command_line_environment_profile_project_default_in_this_order(tmp_path: Path) -> None:
    toml = """
        jobs = 2
        timeout = 2
        truncate-logs = 2
        max-consecutive-failures = 2
        [profile.ci]
        jobs = 3
        timeout = 3
        truncate-logs = 3
    """
    environ = {"TESTLOOM_JOBS": "4", "TESTLOOM_TIMEOUT": "4"}
    options = in_project(tmp_path, toml, "-j5", "-P", "ci", environ=environ).options
    assert (
        options.jobs,
        options.timeout_s,
        options.truncate_logs,
        options.max_consecutive_failures,
        options.durations,
    ) == (5, 4.0, 3, 2, 0)


def test_reports_on_the_command_line_replace_those_of_the_project(tmp_path: Path) -> None:
    toml = 'reports = ["html", "json"]'
    assert in_project(tmp_path, toml).options.reports == ("html", "json")
    assert in_project(tmp_path, toml, "--report", "junit").options.reports == ("junit",)


def test_a_limit_of_the_project_can_be_lifted(tmp_path: Path) -> None:
    assert in_project(tmp_path, "timeout = 60").options.timeout_s == 60.0
    assert in_project(tmp_path, "timeout = 60", "--timeout=none").options.timeout_s is None


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("\njobs = -1", "testloom.toml:2: jobs: -1 slots cannot run anything"),
        ("timeout = inf", "testloom.toml:1: timeout: inf s is no limit"),
        ("[ui]\ncolor = 'alway'", "testloom.toml:2: color: 'alway' is not one of"),
        ("reports = ['=x']", "testloom.toml:1: reports: '=x' is not a report"),
    ],
)
def test_a_value_of_the_configuration_that_makes_no_sense_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toml: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as error:
        in_project(tmp_path, toml)
    assert str(error.value).startswith(message)


def test_another_configuration_can_be_named(tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("jobs = 9\n[env]\nLANG = 'C'")
    for args, environ in ((["-c", str(other)], {}), ([], {"TESTLOOM_CONFIG": str(other)})):
        line = in_project(tmp_path, "jobs = 2", *args, environ=environ)
        assert (line.options.jobs, line.environment) == (9, {"LANG": "C"})
        assert line.config is not None
        assert line.config.file == str(other)


def with_own_options() -> Parser:
    parser = build_parser("suite.py")
    parser.add_argument("--rewrite", action="store_true", help="rewrite baselines")
    parser.add_argument("--timeout", type=int, default=7, help="of the compiler")
    parser.add_argument("--paint", dest="color", default="red")
    parser.add_argument("-s", "--sizes", nargs="+", type=int)
    return parser


def test_a_suite_may_have_options_of_its_own_even_if_we_have_them_too(tmp_path: Path) -> None:
    file = tmp_path / "testloom.toml"
    file.write_text("timeout = 60")
    line = read_command_line(
        with_own_options(),
        ["--rewrite", "--no-capture", "-s", "1", "2"],
        config=load_config(str(file)),
        environ={},
    )
    namespace, options = line.namespace, line.options
    assert (namespace.rewrite, namespace.timeout, namespace.color, namespace.sizes) == (
        True,
        7,
        "red",
        [1, 2],
    )
    assert (options.timeout_s, options.color, options.no_capture) == (3600.0, "auto", True)


def test_options_of_a_suite_have_variables() -> None:
    environ = {"TESTLOOM_REWRITE": "1", "TESTLOOM_TIMEOUT": "8", "TESTLOOM_SIZES": "3 4"}
    namespace = read_command_line(with_own_options(), [], environ=environ).namespace
    assert (namespace.rewrite, namespace.timeout, namespace.sizes) == (True, 8, [3, 4])


def test_a_suite_may_choose_other_defaults() -> None:
    parser = build_parser("s", defaults={"max_consecutive_failures": 3, "reporter": "lines"})
    options = read_command_line(parser, [], environ={}).options
    assert (options.max_consecutive_failures, options.reporter) == (3, "lines")


def test_the_reporters_are_those_of_the_console() -> None:
    assert values.REPORTERS == choose.REPORTERS


def test_options_of_a_suite_have_a_heading_in_the_help() -> None:
    text = with_own_options().format_help()
    own = text.partition("Options of this suite:\n")[2].partition("\n\n")[0]
    assert [line.split()[0].rstrip(",") for line in own.splitlines() if line[2] == "-"] == [
        "--rewrite",
        "--timeout",
        "--paint",
        "-s",
    ]
    assert "  --rewrite                                rewrite baselines\n" in (
        with_own_options().short_help()
    )


def test_short_help_fits_on_a_screen_and_names_only_options_that_exist() -> None:
    parser = build_parser("run-tests")
    lines = parser.short_help().splitlines()
    assert len(lines) <= 39  # the commands of `testloom` come on top of that
    assert max(map(len, lines)) <= 100
    known = {option for action in parser.own for option in action.option_strings}
    words = {word.rstrip(",") for line in lines for word in line.split() if word[:2] == "--"}
    assert words <= known


def test_all_options_have_help_without_loss() -> None:
    assert all(action.help for action in build_parser("t", e3=True).own)
    build_parser("t", e3=True).format_help()


E3_OPTIONS = """
    -v --verbose --log-file --loglevel --nocolor --json-logs --console-logs --build --host
    --target -t --temp-dir --no-random-temp-subdir -d --dev-temp --cleanup-mode
    --disable-cleanup -o --output-dir --old-output-dir --rotate-output-dirs -E
    --show-error-output --show-time-info --xunit-output --xunit-attachments-output-dir
    --xunit-attachments-relative-root-dir --xunit-attachments-threshold --gaia-output
    --status-update-interval --generate-text-report --no-generate-text-report -T --truncate-logs
    --dump-environ --notify-events -M --max-consecutive-failures -j --jobs --failure-exit-code
    --force-multiprocessing --skip-passed --list-json
"""


def test_the_command_line_of_e3_has_all_its_options() -> None:
    parser = build_parser("suite.py", e3=True)
    known = {option for action in parser.own for option in action.option_strings}
    assert set(E3_OPTIONS.split()) - known == set()


def test_the_command_line_of_e3_lets_pass_what_e3_does() -> None:
    parser = build_parser("suite.py", e3=True)
    line = read_command_line(parser, ["--trunc=3", "-j2", "-j4", "a"], environ={})
    assert (line.options.truncate_logs, line.options.jobs, line.namespace.sublist) == (3, 4, ["a"])
    assert line.namespace.generate_text_report is False


def test_options_are_valid_by_being_there() -> None:
    with pytest.raises(UsageError, match="--jobs: 0 slots cannot run anything"):
        RunOptions(jobs=0)
    with pytest.raises(UsageError, match="--timeout: nan s is no limit"):
        RunOptions(timeout_s=float("nan"))
    with pytest.raises(UsageError, match="did you mean 'spawn'"):
        RunOptions(start_method="spawned")


def test_a_namespace_gives_the_options_it_was_parsed_from() -> None:
    parser = build_parser("t")
    namespace = parser.parse_args(["-j3", "a"])
    assert isinstance(namespace, argparse.Namespace)
    assert run_options(namespace) == RunOptions(jobs=3, paths=("a",))


@pytest.mark.parametrize("other", [["--no-capture"], ["--pdb"], ["--distributor", "a:b"]])
def test_there_is_nothing_to_isolate_without_workers(other: list[str]) -> None:
    message = refused("--isolate", "pidns", *other)
    assert message.startswith("--isolate: there is no worker here to isolate; ")
