"""The options of a run: how they are spelled, where else they may be set, what they come to.

    parser = build_parser("run-tests")          # every option of testloom
    suite.add_options(parser)                   # and the suite's own
    line = read_command_line(parser, args, config=config)
    line.options                                # RunOptions: valid, with units in the names
    line.namespace                              # what drivers and e3 suites look at

Each value comes from the first of these that gives one: the command line, the environment
(``TESTLOOM_JOBS`` for ``--jobs``: every long option has its variable), the profile chosen with
``-P``, the project's configuration, the default.

Suites may add options of the same name as ours: theirs wins, and ours then has its default.  For
that to be safe, options that e3-testsuite does not have are parsed under a name of our own
(``testloom_timeout``) and copied to the plain one (``timeout``) only if nobody else uses it.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn

import msgspec

from testloom._version import __version__
from testloom.model.errors import UsageError, nearest
from testloom.suite import values
from testloom.suite.config import Config, Setting, load_config
from testloom.suite.options_history import add_history, add_order, add_rerunning
from testloom.suite.retry_options import add_resume_options, add_retry_options
from testloom.suite.run_options import RunOptions, limit_of
from testloom.suite.shard_options import add_archive_option, add_shard_options

SUITE_HEADING: Final = "Options of this suite"
_PREFIX: Final = "testloom_"
_PARSED_AS: Final = {
    "paths": "sublist",
    "list_json_file": "list_json",
    "timeout_s": "timeout",
    "idle_timeout_s": "idle_timeout",
    "max_time_s": "max_time",
    "output_limit_bytes": "output_limit",
    "slow_s": "slow",
    "random_temp_subdir": "no_random_temp_subdir",
    "verbosity": "verbose",
}
"""Values that the parser calls otherwise than `RunOptions`."""


class CommandLine(msgspec.Struct, frozen=True, kw_only=True):
    """What a command line, the environment and a configuration come to."""

    namespace: argparse.Namespace
    options: RunOptions
    config: Config | None
    """The configuration in force: another than the given one if ``-c`` names it."""
    environment: Mapping[str, str]
    """What the configuration adds to the environment of every test."""
    given: frozenset[str] = frozenset()
    """The options with a value that stood on the command line, by the names in `namespace`."""


def read_command_line(
    parser: Parser,
    args: Sequence[str] | None = None,
    *,
    config: Config | None = None,
    environ: Mapping[str, str] = os.environ,
) -> CommandLine:
    """Parse *args* (``sys.argv[1:]`` if None), with the values of all other places below them.

    Raises:
        UsageError: something in one of the places makes no sense.
    """
    from_environ = list(parser.environment_settings(environ))
    parser.apply(from_environ)
    first = parser.parse_args(args)  # to learn which configuration and which profile
    if (file := _own(first, "config")) is not None:
        config = load_config(file)
    profile = _own(first, "profile")
    if config is None and profile is not None:
        raise UsageError(f"--profile {profile}: there is no testloom.toml to find it in")
    if config is None:
        namespace, environment = first, dict[str, str]()
    else:
        parser.apply(config.settings(profile))
        parser.apply(from_environ)
        namespace, environment = parser.parse_args(args), config.environment(profile)
    return CommandLine(
        namespace=namespace,
        options=run_options(namespace),
        config=config,
        environment=environment,
        given=frozenset(parser.given),
    )


def run_options(namespace: argparse.Namespace) -> RunOptions:
    """Return the options that *namespace*, parsed by a `Parser`, holds."""
    parsed = vars(namespace)
    found: dict[str, Any] = {}
    for field in RunOptions.__struct_fields__:
        name = _PARSED_AS.get(field, field)
        value = parsed[_PREFIX + name if _PREFIX + name in parsed else name]
        found[field] = tuple(value) if isinstance(value, list) else value
    for limit in ("max_failures", "max_consecutive_failures"):
        found[limit] = found[limit] or None
    found["timeout_s"] = limit_of(found["timeout_s"])
    for name in ("idle_timeout_s", "max_time_s", "slow_s"):
        found[name] = None if found[name] == math.inf else found[name]
    found["random_temp_subdir"] = not found["random_temp_subdir"]
    found["verbosity"] -= _own(namespace, "quiet")
    return RunOptions(**found)


# The parser


class Parser(argparse.ArgumentParser):
    """Parses the options of a run.

    It differs from its base in these: paths and options may be mixed; a wrong command line is a
    `UsageError` (unless *error_exit_code* is given: then it prints its usage and exits with
    that); options are not abbreviated, and an option that takes a single value is given at most
    once (unless *lenient*); defaults can come from elsewhere (`apply`).
    """

    def __init__(
        self, prog: str, *, lenient: bool = False, error_exit_code: int | None = None
    ) -> None:
        super().__init__(
            prog=prog,
            usage="%(prog)s [PATH...] [option...]",
            description="Run tests that are data: compilers, interpreters, tools, databases.",
            epilog="A variable stands for each long option: TESTLOOM_JOBS=4 for --jobs=4.",
            add_help=False,
            allow_abbrev=lenient,
            conflict_handler="resolve",
        )
        self.lenient = lenient
        self.error_exit_code = error_exit_code
        self.given: set[str] = set()
        """The options that stood on the command line, under the names of their values."""
        self.own: list[argparse.Action] = []
        """Our options; the suite's are those that are not in here."""
        self._below: dict[str, object] = {}
        """What takes the place of defaults, under the names of the values."""
        # Our options are all in groups with headings, so what is left here is the suite's.
        self._optionals.title = SUITE_HEADING

    def group(self, title: str) -> Group:
        """Return a new group of our own options."""
        return Group(self, self.add_argument_group(title))

    @property
    def suite_options(self) -> list[argparse.Action]:
        """The options that the suite has added."""
        own = set(map(id, self.own))
        return [action for action in self._actions if id(action) not in own]

    @property
    def variables(self) -> dict[str, str]:
        """The variables of the environment that stand for options, and for which."""
        return {
            values.variable(option): option
            for action in (*self.own, *self.suite_options)
            for option in action.option_strings
            if option.startswith("--") and not _acts_at_once(action)
        }

    def environment_settings(self, environ: Mapping[str, str]) -> Iterator[Setting]:
        """Yield what the environment says about options, the suite's included."""
        for name, option in self.variables.items():
            if name in environ:
                yield Setting(option=option, value=environ[name], origin=name)

    def apply(self, settings: Iterable[Setting]) -> None:
        """Make *settings* the defaults; of several for one option, the last one counts.

        Raises:
            UsageError: a value is of no use for its option.
        """
        actions = {option: a for a in self._actions for option in a.option_strings}
        ours = {id(action) for action in self.own}
        for setting in settings:
            action = actions.get(setting.option)
            from_environ = setting.origin.startswith("TESTLOOM_")
            if action is None or (id(action) not in ours and not from_environ):
                continue  # the suite has an option of this name, which means something else
            try:
                value = values.converted(action, setting.value)
            except (argparse.ArgumentTypeError, TypeError, ValueError) as error:
                raise UsageError(f"{setting.origin}: {error}") from error
            if value is not None or action.nargs != 0:
                self._below[action.dest] = value
            # else: a flag that is not set leaves alone what its neighbours set

    def parse_known_args(  # type: ignore[override]  # the base's overloads say the same
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse what is known; return the rest, of which paths are not a part."""
        self.given.clear()
        # Not as the defaults of the options: argparse would convert those that are text again.
        found = namespace or argparse.Namespace(**self._below)
        _, rest = super().parse_known_args(args if args is None else list(args), found)
        # argparse takes one run of paths only: those behind a later option are in the rest.
        paths, unknown = _paths_and_unknown(rest)
        found.sublist = [*found.sublist, *paths]
        for action in self.own:
            if not _acts_at_once(action) and not hasattr(found, action.dest):
                setattr(found, action.dest, action.default)  # the suite took all its names
        _settle(found, self.given)
        for name, value in list(vars(found).items()):
            if name.startswith(_PREFIX) and not hasattr(found, plain := _plain(name)):
                setattr(found, plain, value)
        return found, unknown

    def parse_args(  # type: ignore[override]  # the base's overloads say the same
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Parse everything."""
        namespace, unknown = self.parse_known_args(args, namespace)
        if unknown:
            known = [option for action in self._actions for option in action.option_strings]
            name = unknown[0].partition("=")[0]
            hint = nearest(name, known) if name.startswith("--") else ""
            hint = hint or f"; {self.prog} --help lists those there are"
            self.error(f"unknown option {name!r}{hint}")
        return namespace

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        message = message.removeprefix("argument ")
        if self.error_exit_code is None:
            raise UsageError(message)
        self.print_usage(sys.stderr)
        self.exit(self.error_exit_code, f"{self.prog}: error: {message}\n")

    def short_help(self) -> str:
        """Return the help of ``-h``: what most people need, on one screen."""
        formatter = argparse.HelpFormatter(self.prog, max_help_position=43, width=100)
        known = self._option_string_actions
        own = set(map(id, self.own))
        shown = [known[name] for name in _MOST_USED if id(known.get(name)) in own]
        formatter.start_section("Options used most")
        formatter.add_arguments(shown)
        formatter.end_section()
        formatter.start_section(SUITE_HEADING)
        formatter.add_arguments(self.suite_options)
        formatter.end_section()
        head = f"{self.format_usage()}\n{self.description}\n{_EXAMPLES.format(prog=self.prog)}"
        return f"{head}{formatter.format_help()}\n{self.prog} --help explains every option.\n"


class Group:
    """A group of our own options, under one heading of the help."""

    def __init__(self, parser: Parser, group: argparse._ArgumentGroup) -> None:
        self._parser, self._group = parser, group

    def e3(self, names: str, metavar: str | None, what: str, **how: Any) -> None:
        """Add an option that e3-testsuite has too; its value gets the name it has there.

        Without *metavar* it is a flag.
        """
        if metavar is not None:
            how = {"action": _Given, "metavar": metavar, **how}
        elif "action" not in how:
            how["action"] = "store_const" if "const" in how else "store_true"
        self._parser.own.append(self._group.add_argument(*names.split(), help=what, **how))

    def ours(
        self, names: str, metavar: str | None, what: str, *, dest: str | None = None, **how: Any
    ) -> None:
        """Add an option that e3-testsuite does not have, so that a suite may have its own."""
        if dest is None:
            dest = next(name for name in names.split() if name.startswith("--"))[2:]
        self.e3(names, metavar, what, dest=_PREFIX + dest.replace("-", "_"), **how)


def build_parser(
    prog: str,
    *,
    defaults: Mapping[str, object] | None = None,
    e3: bool = False,
    error_exit_code: int | None = None,
) -> Parser:
    """Return a parser that knows all options of a run.

    Args:
        prog: What the user calls the program.
        defaults: Other defaults than the usual, under the names of the values
            (``failure_exit_code``): those of the suite's class.
        e3: Be e3-testsuite's command line: its remaining options are there too, and what it
            lets pass (abbreviations, an option given twice) passes.
        error_exit_code: Exit with this when the command line is wrong; None raises `UsageError`.
    """
    parser = Parser(prog, lenient=e3, error_exit_code=error_exit_code)
    _add_selection(parser.group("Select"))
    _add_execution(parser.group("Execute"))
    again = parser.group("Run again")
    add_retry_options(again)
    add_resume_options(again)
    _add_debugging(parser.group("Debug"))
    baselines = parser.group("Baselines")
    update = "replace expected by actual outputs"
    baselines.ours("-u --update --update-baselines", None, update, dest="update_baselines")
    _add_output(parser.group("Output"))
    _add_results(parser.group("Results"))
    add_history(parser.group("Earlier runs").ours)
    if e3:
        _add_e3(parser.group("As in e3-testsuite"))
    _add_platform(parser.group("Platform and logging"))
    _add_general(parser.group("General"))
    for action in parser.own:
        for name in (action.dest, _plain(action.dest)):
            if defaults and name in defaults:
                action.default = defaults[name]
    return parser


def _add_selection(group: Group) -> None:
    paths = "directory, test.yaml, or part of a name; default: all tests"
    group.e3("sublist", "PATH", paths, nargs="*", action="store", default=[])
    add = group.ours
    add("-k --keyword", "EXPR", "tests whose name matches EXPR", default="")
    add("-m --tags", "EXPR", "tests whose tags match EXPR", default="")
    add("--exclude", "GLOB", "not these tests", default=[])
    add_rerunning(add)
    add("--list", None, "show the tests, do not run them", dest="list_format", const="text")
    add_shard_options(group)
    formats = values.one_of(*values.LIST_FORMATS)
    add("--list-format", "text|json", "the same, in this format", type=formats)
    group.e3("--list-json", "FILE", "write the list of tests as JSON to FILE")


def _add_execution(group: Group) -> None:
    jobs = "slots; 0 or 'auto' for one per core (default)"
    row = "stop after N failures in a row; 0 never does (default)"
    group.e3("-j --jobs", "N", jobs, type=values.jobs_count, default=values.cores())
    group.e3("-M --max-consecutive-failures", "N", row, type=values.count, default=0)
    add = group.ours
    limit = "limit of each fragment in seconds, or 'none' (default: one hour)"
    add("--timeout", "S", limit, type=values.seconds)
    idle = "end a program that writes nothing for S seconds"
    add("--idle-timeout", "S", idle, type=values.seconds)
    add("--output-limit", "SIZE", "end a program that writes more, such as 10MB", type=values.size)
    add("--max-time", "S", "stop the run after S seconds", type=values.seconds)
    add("-x --fail-fast", None, "stop after the first failure", dest="max_failures", const=1)
    add("--max-failures --maxfail", "N", "stop after N failures; 0 never does", type=values.count)
    add_order(add)
    add(
        "--start-method",
        "fork|spawn",
        "how workers are made",
        type=values.one_of(*values.START_METHODS),
        default="fork" if hasattr(os, "fork") else "spawn",
    )
    isolate = "pidns: let each worker see and signal only its own processes; needs to be root"
    kinds = values.one_of(*values.ISOLATIONS)
    add("--isolate", "none|pidns", isolate, type=kinds, default="none")
    nodes = "run fragments as jobs of this batch system"
    add("--distributor", "MODULE:FACTORY", nodes, type=values.factory_text)


def _add_debugging(group: Group) -> None:
    group.ours("-s --no-capture", None, "run in this process, with its terminal; implies -j1")
    group.ours("--pdb", None, "debug what a driver raises; implies -j1")
    add = group.e3
    modes, words = values.one_of(*values.CLEANUP_MODES), "|".join(values.CLEANUP_MODES)
    which = "of which tests to remove the working directory (default: passing)"
    add("--cleanup-mode", words, which, type=modes)
    which = "the other way round: which to keep (default: failing)"
    add(
        "--keep-work", "|".join(values.KEEP_WORK), which, type=values.keep_work, dest="cleanup_mode"
    )
    add("--disable-cleanup", None, "old name of --cleanup-mode=none")
    add("-t --temp-dir", "DIR", "where to make the working directory")
    add("--no-random-temp-subdir", None, "work in --temp-dir itself, which is emptied first")
    work = "work in DIR (default: tmp) and keep everything"
    add("-d --dev-temp", "DIR", work, nargs="?", const="tmp")


def _add_output(group: Group) -> None:
    add = group.ours
    reporters, colors = ", ".join(values.REPORTERS), "|".join(values.COLORS)
    add("--reporter", "NAME", reporters, type=values.one_of(*values.REPORTERS), default="auto")
    add(
        "--color", colors, "when to use colours", type=values.one_of(*values.COLORS), default="auto"
    )
    add("--durations", "N", "show the N slowest tests at the end", type=values.count, default=0)
    slow = "say of a fragment that it still runs after S seconds (default: 60)"
    add("--slow", "S", slow, type=values.seconds)
    add("-q --quiet", None, "say less", action="count", default=0)
    add = group.e3
    add("-v --verbose", None, "say more; twice: even more", action="count", default=0)
    add("-E --show-error-output", None, "show diff or log of what failed")
    add("--show-time-info", None, "show how long each test took")
    add("--nocolor", None, "the same as --color=never")


def _add_results(group: Group) -> None:
    add = group.e3
    lines = "keep the first and last N lines of logs; 0 keeps all (default: 200)"
    code = "exit with N if a test failed (default: 1)"
    add("-o --output-dir", "DIR", "results (default: out)", default="out")
    add_archive_option(group)
    group.ours(
        "--report",
        "FORMAT[=PATH]",
        "write this report too (several times: more); see 'help reports'",
        type=values.report_text,
        default=[],
        dest="reports",
    )
    add("--xunit-output", "FILE", "write e3-testsuite's xUnit report")
    add("-T --truncate-logs", "N", lines, type=values.count, default=200)
    add("--failure-exit-code", "N", code, type=values.exit_code, default=1)
    add("--dump-environ", None, "write environ.sh beside the results")


def _add_e3(group: Group) -> None:
    """Add what only e3-testsuite has; that door gives it a meaning."""
    add = group.e3
    text = "generate_text_report"
    update = "seconds between updates of the status file"
    add("--old-output-dir", "DIR", "results of the run to compare with")
    add("--rotate-output-dirs", None, "make the last results the old ones")
    add("--xunit-attachments-output-dir", "DIR", "where big logs go")
    add("--xunit-attachments-relative-root-dir", "DIR", "as seen from DIR", default=".")
    add("--xunit-attachments-threshold", "N", "how big a log must be to go there", type=int)
    add("--gaia-output", None, "write a GAIA report beside the results")
    add("--notify-events", "CMD", "command or python:MODULE:CALLABLE to tell of events")
    add("--status-update-interval", "S", update, type=float, default=1.0)
    add("--generate-text-report", None, "write the report as text, too")
    add("--no-generate-text-report", None, "do not", dest=text, action="store_false", default=False)
    add("--force-multiprocessing", None, "accepted: fragments run in other processes always")
    add("--skip-passed", None, "not the tests that passed in the last run")


def _add_platform(group: Group) -> None:
    add = group.e3
    json_logs = "json-logs" in os.environ.get("E3_ENABLE_FEATURE", "").split(",")
    levels = f"of messages shown: {', '.join(values.LOG_LEVELS)}"
    add("--build", "PLATFORM", "where the tested programs are built")
    add("--host", "PLATFORM[,VERSION]", "where they run")
    add("--target", "PLATFORM[,VERSION[,MACHINE[,MODE]]]", "what they make code for")
    add("--log-file", "FILE", "write a log of the run to FILE")
    add("--loglevel", "LEVEL", levels, type=values.one_of(*values.LOG_LEVELS), default=logging.INFO)
    add("--json-logs", None, "log as JSON", default=json_logs)
    add("--console-logs", "PREFIX", "log to stdout, with PREFIX before each line")


def _add_general(group: Group) -> None:
    add = group.ours
    version = f"testloom {__version__}"
    add("-c --config", "FILE", "use this testloom.toml")
    add("-P --profile", "NAME", "use the settings of [profile.NAME]")
    add("--version", None, "show the version and exit", action="version", version=version)
    add("-h", None, "show the options used most and exit", action=_ShortHelp, dest="help")
    add("--help", None, "show this and exit", action="help")


_EXAMPLES: Final = """
Examples
  {prog}                            all tests, one slot per core
  {prog} -j16 parser/               one directory
  {prog} --lf                       what failed last time
  {prog} -k 'add and not slow'      by name        --tags smoke   by tag
  {prog} --list parser/             show what would run
  {prog} -s -x parser/add           in this terminal, up to the first failure
  {prog} -u parser/add              accept its output as the expected one

"""
_MOST_USED: Final = (
    *("--keyword", "--tags", "--lf", "--list", "--jobs", "--timeout", "--fail-fast"),
    *("--no-capture", "--pdb", "--dev-temp"),
    *("--update-baselines", "--reporter", "--show-error-output"),
    *("--verbose", "--quiet", "--output-dir", "--report", "--config", "--version"),
)


# How argparse is bent


class _Given(argparse.Action):
    """Store a value, and remember that it was given.

    Values of a list are added up, without those it had as a default.  Another second value is
    refused: nobody could say which one was meant.
    """

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, *_: object) -> None:
        again = self.dest in parser.given
        parser.given.add(self.dest)
        if isinstance(self.default, list):
            values = [*(getattr(namespace, self.dest) if again else ()), values]
        elif again and not parser.lenient:
            raise argparse.ArgumentError(self, "given twice; keep one of them")
        setattr(namespace, self.dest, values)


class _ShortHelp(argparse.Action):
    """Print the short help and exit."""

    def __init__(self, option_strings: Sequence[str], dest: str, **how: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, **how)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        assert isinstance(parser, Parser)
        sys.stdout.write(parser.short_help())
        parser.exit()


def _acts_at_once(action: argparse.Action) -> bool:
    return action.default is argparse.SUPPRESS  # help and version


def _paths_and_unknown(rest: Sequence[str]) -> tuple[list[str], list[str]]:
    """Tell the paths in what argparse could not place from the options that do not exist."""
    end = rest.index("--") if "--" in rest else len(rest)
    before, after = rest[:end], rest[end + 1 :]
    paths = [text for text in before if not text.startswith("-") or text == "-"]
    return [*paths, *after], [text for text in before if text.startswith("-") and text != "-"]


def _settle(namespace: argparse.Namespace, given: set[str]) -> None:
    """Replace options that stand for others by those."""
    dev_temp = namespace.dev_temp
    if dev_temp is not None and ("dev_temp" in given or "temp_dir" not in given):
        namespace.temp_dir = dev_temp
        namespace.no_random_temp_subdir = True
        if "cleanup_mode" not in given:
            namespace.cleanup_mode = "none"
    if namespace.cleanup_mode is None:
        namespace.cleanup_mode = "none" if namespace.disable_cleanup else "passing"
    if _own(namespace, "no_capture") or _own(namespace, "pdb"):
        namespace.jobs = 1
    if namespace.nocolor:
        setattr(namespace, _PREFIX + "color", "never")


def _own(namespace: argparse.Namespace, name: str) -> Any:
    return getattr(namespace, _PREFIX + name)


def _plain(name: str) -> str:
    return name.removeprefix(_PREFIX)
