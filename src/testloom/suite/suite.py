"""A test suite: what a user subclasses, and the way from a command line to an exit status.

`Testsuite.testsuite_main` reads as a list of rooms: options, place, tests, plan, run, reports.
"""

from __future__ import annotations

import contextlib
import errno
import inspect
import logging
import os
import platform
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

import msgspec

from testloom import discovery
from testloom.console.choose import on_build_server
from testloom.discovery import ParsedTest, Selection, TestFinder, YAMLTestFinder
from testloom.drivers import CommandDriver
from testloom.journal.rundir import RunDir, open_run_dir
from testloom.journal.writer import JournalWriter
from testloom.model.errors import UsageError
from testloom.model.kept import FOLDER
from testloom.model.names import shown
from testloom.model.secrets import redacted, without_users
from testloom.model.summary import RunInfo, Summary
from testloom.model.test import BrokenTest
from testloom.processes import cgroup, own_fds, signals, streams
from testloom.processes.clock import SystemClock
from testloom.processes.garbage import making_much
from testloom.processes.system import import_log, new_env
from testloom.suite import listing
from testloom.suite.attempts import Retrying
from testloom.suite.baselines import with_pending
from testloom.suite.carrying import Resumed, selecting_words
from testloom.suite.commands import commands_of, program_name
from testloom.suite.config import Config
from testloom.suite.distributing import started
from testloom.suite.earlier_runs import EarlierRuns
from testloom.suite.fingerprints import note_fingerprints
from testloom.suite.looking import Looking
from testloom.suite.options import CommandLine, Parser, build_parser
from testloom.suite.places import Places, dump_environ, working_place
from testloom.suite.planning import Plan, plan
from testloom.suite.plugins import listening_plugins, project_plugins, report_formats
from testloom.suite.preparing import (
    journal_of,
    limits_of,
    set_platforms,
    worker_settings,
    written_to_the_end,
)
from testloom.suite.quarantine import quarantine_of
from testloom.suite.reporting import Reporting
from testloom.suite.resumed_line import resuming_command_line
from testloom.suite.retry_options import retry_policy
from testloom.suite.run import Listeners, RunOutcome, executed
from testloom.suite.run_options import RunOptions
from testloom.suite.shares import keep_share
from testloom.suite.sources import commit_of
from testloom.suite.versions import versions

EXIT_OK = 0
EXIT_STOPPED = 2
EXIT_INCOMPLETE = 3
EXIT_USAGE = 4
EXIT_NOTHING = 5


class Main:
    """Where suites written for e3-testsuite find their parsed options: ``self.main.args``."""

    def __init__(self, parser: Parser) -> None:
        self.argument_parser = parser
        self.args: Any = None


class Testsuite:
    """A suite of tests. Subclass it to say where they are and how they are run.

    Each of the attributes below can be overridden by a class attribute or by a property.

    Args:
        root_dir: directory that `tests_subdir` is relative to; by default that of the file in
            which the subclass is defined.
        testsuite_name: the name that reports show.
        config: the project's configuration, if there is one.
    """

    __test__: ClassVar[bool] = False  # not a pytest class

    tests_subdir: str = "."
    """Where the tests are, relative to `root_dir`."""
    test_driver_map: Mapping[str, type[Any]] = {}
    """Driver classes by the name that tests use."""
    default_driver: str | None = None
    """Name of the driver of tests that name none."""
    default_max_consecutive_failures: int = 0
    """How many failures in a row end the run; 0 for any number."""
    default_failure_exit_code: int = 1
    """What the process exits with when there are failures."""
    plugins: Sequence[Any] = ()
    """Objects or modules with hooks, see `testloom.suite.hookspecs`."""

    def __init__(
        self,
        root_dir: str | None = None,
        testsuite_name: str = "Untitled testsuite",
        *,
        config: Config | None = None,
    ) -> None:
        if root_dir is None:
            root_dir = _directory_of(type(self)) if type(self) is not Testsuite else os.getcwd()
        self.root_dir = os.path.abspath(root_dir)
        self.test_dir = os.path.normpath(os.path.join(self.root_dir, self.tests_subdir))
        self.testsuite_name = testsuite_name
        self.config = config
        self.env = new_env()
        self.output_dir = ""
        self.working_dir = ""
        self.main: Main
        self.options: RunOptions
        self.broken_tests: list[BrokenTest] = []
        """Tests that `get_test_list` found and that cannot be run."""
        self.notes: list[str] = []
        """What people should know besides results: shown at the end of the run."""
        self._on_test: Callable[[str], None] = lambda _directory: None
        """Told of each directory that tests are found in."""
        self._looking: Looking | None = None
        """Who looks at the files of tests meanwhile, in a run."""
        self._resumed: Resumed | None = None
        self._places: Places

    # -- what subclasses override ---------------------------------------------------------------

    @property
    def test_finders(self) -> list[TestFinder]:
        """The finders that look at each directory, in this order."""
        return [YAMLTestFinder()]

    def add_options(self, parser: Any) -> None:
        """Add options to *parser*, an `argparse.ArgumentParser`."""

    def set_up(self) -> None:
        """Prepare the run, before tests are looked for. `self.main.args` has the options."""

    def tear_down(self) -> None:
        """Clean up after the run, whatever came of it."""

    def adjust_dag_dependencies(self, dag: Any) -> None:
        """Add edges to *dag*, an `e3.collection.dag.DAG` whose data are `FragmentData`."""

    def test_name(self, test_dir: str) -> str:
        """Return the name of the test in the directory *test_dir*."""
        return discovery.path_name(self.test_dir, test_dir)

    def get_test_list(self, sublist: list[str]) -> list[ParsedTest]:
        """Return the tests that *sublist* (what the user named) selects."""
        selection = self._selection(sublist)
        found = discovery.discover(
            self,
            roots=self._roots,
            finders=[*self.test_finders, *self._plugin_finders],
            selection=selection,
            skip=self._not_tests,
            on_test=self._on_test,
        )
        self.broken_tests = found.broken
        self.notes.extend(found.warnings)
        if not found.tests and not found.broken:
            self.notes.extend(discovery.suggestions(selection, found))
        return found.tests

    # -- the way through a run ------------------------------------------------------------------

    def testsuite_main(self, args: list[str] | None = None) -> int:
        """Run the suite with the command line *args* (``sys.argv[1:]`` if None).

        Returns:
            The exit status: 0 all passed, 1 (or ``--failure-exit-code``) failures, 2 stopped
            early, 3 incomplete, 4 wrong usage, 5 nothing selected.  A run ended by a signal
            does not return: it cleans up and dies by that signal.
        """
        streams.ensure()
        code = EXIT_OK
        try:
            with signals.raising(), signals.showing_stack():
                signum, code = self._main(args)
        except UsageError as error:
            print(f"testloom: {shown(str(error))}", file=sys.stderr)  # noqa: T201 - the one way to say it
            return EXIT_USAGE
        except Exception as error:  # noqa: BLE001 - suites, finders and plugins are foreign code
            return _say_what_failed(error)
        except KeyboardInterrupt as asked:  # before or after the run, which takes it as an event
            signum = asked.signum if isinstance(asked, signals.Asked) else signal.SIGINT
        if signum:
            with contextlib.suppress(OSError):
                sys.stdout.flush()
            signals.die_by(signum)
        return code

    def opened(self, args: list[str] | None) -> OpenSuite:
        """Return what makes the suite ready to look for tests and to plan them, in a ``with``.

        For programs that run the tests themselves, and for the way through a run.
        """
        return OpenSuite(self, args)

    def _main(self, args: list[str] | None) -> tuple[int, int]:
        with self.opened(args) as line, contextlib.closing(Looking(self._not_looked_at)) as looking:
            with making_much():
                if not self._is_listing:
                    self._on_test, self._looking = looking.add, looking
                tests = self.get_test_list(list(line.options.paths))
                looking.send_rest()
            tests, self.broken_tests = self._earlier.choose(tests, self.broken_tests)
            if self._is_listing:
                return 0, self._list(self._share_of(tests))
            if not tests and not self.broken_tests:
                return 0, self._nothing_selected()
            return self._run(tests, line)

    def _run(self, tests: list[ParsedTest], line: CommandLine) -> tuple[int, int]:
        options = line.options
        root = self.config.root if self.config else os.getcwd()
        distributor = started(options.distributor, root)
        if distributor is None and not options.in_process:
            cgroup.start_warming()  # workers are going to be forked, which waits for it
        with open_run_dir(options.output_dir) as run_dir:
            reporting = Reporting.of(options, run_dir.path, self._plugin_reports)
            self.output_dir = self.env.output_dir = run_dir.path
            self.env.failures_dir = os.path.join(run_dir.path, FOLDER)
            self.notes.extend(run_dir.notes)
            if options.dump_environ:
                dump_environ(os.path.join(run_dir.path, "environ.sh"))
            with making_much():
                the_plan = self.plan(tests)
            carry = self._resumed.carry(the_plan) if self._resumed else None
            self.notes.extend([carry.note] if carry else [])
            info = self._info(run_dir, options, the_plan)
            if info.seed is not None:
                self.notes.append(f"random order; --seed {info.seed} repeats it")
            settings = worker_settings(options, info, distributor)
            self._places.name_run(settings.name, run_dir.path)
            order, expected = self._earlier.begin(run_dir, the_plan, info)
            pinned = self._earlier.pinned(options)
            console = reporting.console(self.main.args, commands_of(line, pinned))
            console.expect(expected, self._earlier.latest)
            listeners = Listeners([console, *listening_plugins(self._plugins, self._plugin_failed)])
            words = selecting_words(pinned)
            with contextlib.closing(console), journal_of(run_dir, info, the_plan, words) as journal:
                if self._looking is not None:
                    self._looking.close()  # which takes a while to end, and had that until now
                running = executed(
                    the_plan,
                    info=info,
                    env=self.env,
                    settings=settings,
                    limits=limits_of(options),
                    retrying=self._retrying,
                    carry=carry,
                    quarantine=self._quarantine,
                    priorities=order.priorities,
                    journal=journal,
                    listeners=listeners,
                    reader_gone=lambda: console.broken,
                    takes_keys=console.takes_keys,
                )
                with running as outcome:
                    summary = self._earlier.judged(self._summary(info, outcome, journal))
                    problems = reporting.write(summary)
                    code = self._exit_code(summary, outcome, problems)
                    unwritten = written_to_the_end(journal, outcome, code)
                    if unwritten := unwritten + reporting.write_archive(info, run_dir.journal):
                        problems, code = (*problems, *unwritten), EXIT_INCOMPLETE
                    remarks = [*reporting.tell_server(summary), *self._earlier.keep(summary, code)]
                    notes = [*summary.notes, *remarks, *problems]
                    summary = with_pending(summary, root)
                    listeners.run_ended(reporting.with_notes(summary, notes))
        if console.broken:  # what it has come to was not told
            code = EXIT_INCOMPLETE
        reader_left = signal.SIGPIPE if console.reader_has_left else 0
        return outcome.signum or reader_left, code

    # -- steps ----------------------------------------------------------------------------------

    def parse(self, args: list[str] | None) -> CommandLine:
        """Read the command line *args*, and prepare all that follows from it.

        Raises:
            UsageError: *args*, the environment or the configuration make no sense.
        """
        line = self._parse(args)
        self._prepare(line)
        return line

    def _parse(self, args: list[str] | None) -> CommandLine:
        parser = build_parser(self._program, defaults=self._defaults)
        self.main = Main(parser)
        self._plugins = project_plugins(self.config, self.plugins)
        self.add_options(parser)
        self._plugins.hook.testloom_add_options(parser=parser)
        line, self._resumed = resuming_command_line(parser, args, config=self.config)
        if line.options.log_file or line.options.verbosity > 0:
            import_log().activate_with_args(line.namespace, logging.WARNING)
        self.main.args = line.namespace
        self.options = line.options
        self.config = line.config
        self._retrying = Retrying(retry_policy(line.options))
        self._quarantine = quarantine_of(line.options)
        self.notes.extend(self._quarantine.notes if self._quarantine else ())
        self._earlier = EarlierRuns(line.options, self.testsuite_name)
        return line

    def _prepare(self, line: CommandLine) -> None:
        """Fill the environment that drivers see."""
        os.environ.update(line.environment)
        env = self.env
        env.root_dir = self.root_dir
        env.test_dir = self.test_dir
        env.options = line.namespace
        env.configured_environment = dict(line.environment)
        env.rewrite_baselines = line.options.update_baselines
        if env.rewrite_baselines and on_build_server(os.environ):
            env.rewrite_baselines = False
            self.notes.append("CI is set: baselines are not updated on a build server")
        if line.options.build or line.options.host or line.options.target:
            set_platforms(env, line.options)
        self._plugin_finders = [
            finder
            for finders in self._plugins.hook.testloom_finders(suite=self)
            for finder in finders
        ]
        self._plugin_reports = report_formats(self._plugins)
        self._add_drivers()

    def _add_drivers(self) -> None:
        """Let tests use drivers of plugins, and the command driver where there is no other."""
        drivers: dict[str, type[Any]] = {}
        for more in self._plugins.hook.testloom_drivers(suite=self):
            drivers.update(more)
        own = dict(self.test_driver_map)
        drivers.setdefault("command", CommandDriver)
        default = self.default_driver
        if self.config and self.config.project.default_driver:
            default = self.config.project.default_driver
        if not own and default is None:
            default = "command"
        self.effective_drivers: Mapping[str, type[Any]] = {**drivers, **own}
        self.effective_default_driver = default

    def enter(self, places: Places) -> None:
        """Let tests work in *places*."""
        self.working_dir = self.env.working_dir = places.working_dir
        self.env.cleanup_mode = places.cleanup_mode
        self.notes.extend(places.notes)
        self._places = places

    def _selection(self, sublist: list[str]) -> Selection:
        return Selection.parse(
            sublist,
            test_dir=self.test_dir,
            keyword=self.options.keyword,
            tags=self.options.tags,
            exclude=self.options.exclude,
        )

    @property
    def _roots(self) -> list[str]:
        if self.config and self.config.roots:
            return list(self.config.roots)
        return [self.test_dir]

    @property
    def _is_listing(self) -> bool:
        return bool(self.options.list_format or self.options.list_json_file)

    @property
    def _program(self) -> str:
        return program_name()

    @property
    def _defaults(self) -> dict[str, Any]:
        return {
            "failure_exit_code": self.default_failure_exit_code,
            "max_consecutive_failures": self.default_max_consecutive_failures,
        }

    def _list(self, tests: list[ParsedTest]) -> int:
        listing.show(
            tests,
            self.broken_tests,
            root=self.root_dir,
            as_json=self.options.list_format == "json",
            e3_file=self.options.list_json_file,
        )
        # A share may be empty, where there are more shares than tests.
        is_fine = tests or self.broken_tests or self.options.shard
        return EXIT_OK if is_fine else self._nothing_selected()

    @property
    def _not_tests(self) -> list[str]:
        """The directories in which no tests are looked for."""
        own = (*self._not_looked_at, self._earlier.history_dir)
        return [directory for directory in own if directory is not None]

    @property
    def _not_looked_at(self) -> list[str]:
        """The directories whose files make no difference to tests."""
        return [os.path.abspath(self.options.output_dir)]

    def _nothing_selected(self) -> int:
        for note in (*self.notes, *self._earlier.notes):
            print(f"testloom: {note}", file=sys.stderr)  # noqa: T201 - there is no console yet
        if self._earlier.nothing_to_do:
            return EXIT_OK
        print("testloom: no test selected", file=sys.stderr)  # noqa: T201 - as above
        return EXIT_NOTHING

    def _share_of(self, tests: list[ParsedTest]) -> list[ParsedTest]:
        """Return those of *tests*, and leave those of the broken ones, that are to be listed."""
        if self.options.shard is None:
            return tests
        the_plan = self.plan(tests)
        broken = {one.test_name: one for one in the_plan.broken}
        self.broken_tests = list(broken.values())
        return [test for test in tests if test.test_name in the_plan.tests]

    def plan(self, tests: list[ParsedTest]) -> Plan:
        """Return the graph of the fragments of *tests*, with the broken ones that were found."""

        def adjust(dag: Any) -> None:
            self.adjust_dag_dependencies(dag)
            self._plugins.hook.testloom_adjust_dag(suite=self, dag=dag)

        the_plan = plan(
            tests,
            self.broken_tests,
            env=self.env,
            root=self.root_dir,
            default_driver=self.effective_drivers.get(self.effective_default_driver or ""),
            prepare=self._retrying.prepare,
            adjust=adjust,
        )
        self._division = keep_share(the_plan, self.options)
        digests = self._looking.finish() if self._looking else {}
        note_fingerprints(the_plan, tests, self._not_looked_at, digests)
        return the_plan

    def _info(self, run_dir: RunDir, options: RunOptions, the_plan: Plan) -> RunInfo:
        jobs = 1 if options.in_process else min(options.jobs, len(the_plan.owners))
        if jobs > (most := own_fds.slots_that_fit()):
            jobs = most
            self.notes.append(f"{most} slots: so few files may be open here (ulimit -n)")
        commit, branch = commit_of(self.root_dir)
        return RunInfo(
            run_id=run_dir.run_id,
            suite=self.testsuite_name,
            root=self.root_dir,
            output_dir=run_dir.path,
            command=tuple(map(without_users, (self._program, *sys.argv[1:]))),
            jobs=max(1, jobs),
            started_at=SystemClock().wall(),
            host=socket.gethostname(),
            platform=f"{platform.system()}-{platform.machine()}".lower(),
            selected=len(the_plan.tests) + len(the_plan.broken),
            shard=(self.options.shard or "") if self._division else "",
            shard_plan=self._division,
            resumes=self._resumed.run_id if self._resumed else "",
            seed=options.seed_for(run_dir.run_id),
            environment=redacted(os.environ),
            versions=versions(),
            commit=commit,
            branch=branch,
        )

    def _summary(self, info: RunInfo, outcome: RunOutcome, journal: JournalWriter) -> Summary:
        return Summary(
            run=msgspec.structs.replace(
                info, duration_s=outcome.duration_s, stopped=outcome.stopped
            ),
            entries=outcome.entries,
            load=journal.load,
            notes=(*self.notes, *outcome.notes),
            spans=journal.spans,
        )

    def _exit_code(self, summary: Summary, outcome: RunOutcome, problems: Sequence[str]) -> int:
        if outcome.broken_down or problems or self._plugin_problems:
            return EXIT_INCOMPLETE
        if outcome.stopped:
            return EXIT_STOPPED
        flaky = self.options.flaky_fails and summary.flaky
        if self._earlier.has_failed(summary) or flaky:
            return self.options.failure_exit_code
        return EXIT_OK

    _plugin_problems: int = 0
    _resumed: Resumed | None = None
    """The run that this one goes on with."""
    _division: str = ""
    """Digest of how the tests were divided; empty if they were not."""

    def _plugin_failed(self, line: str) -> None:
        self._plugin_problems += 1
        if self._plugin_problems <= 5:
            self.notes.append(line)


class OpenSuite:
    """A suite between its `set_up` and its `tear_down`; a class, so as not to litter tracebacks."""

    def __init__(self, suite: Testsuite, args: list[str] | None) -> None:
        self._suite, self._args = suite, args
        self._exit = contextlib.ExitStack()

    def __enter__(self) -> CommandLine:
        suite = self._suite
        line = suite.parse(self._args)
        is_listing = bool(line.options.list_format or line.options.list_json_file)
        suite.enter(self._exit.enter_context(working_place(line.options, is_listing=is_listing)))
        try:
            suite.set_up()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return line

    def __exit__(self, *_: object) -> None:
        with self._exit:
            self._suite.tear_down()


_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENOSPC)
"""What the system says when it has no more of something."""


def _say_what_failed(error: Exception) -> int:
    """Print the traceback and whose it is: the suite's or ours, or nobody's in one line."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    if isinstance(error, OSError) and error.errno in _EXHAUSTED:
        what = f"{(error.strerror or '').lower()}; the run cannot go on without"
        print(f"testloom: {shown(last.filename)}:{last.lineno}: {what}", file=sys.stderr)  # noqa: T201 - as below
        return EXIT_INCOMPLETE
    traceback.print_exception(error)
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if last.filename.startswith(ours):
        line = "this is a defect in testloom: please report it with the lines above"
    else:
        what = f"{type(error).__name__}: {error}"
        line = f"{last.filename}:{last.lineno}: the suite or a plugin failed: {what}"
    print(f"testloom: {shown(line)}", file=sys.stderr)  # noqa: T201 - there may be no console
    return EXIT_INCOMPLETE


def _directory_of(cls: type[Any]) -> str:
    try:
        return os.path.dirname(os.path.abspath(inspect.getfile(cls)))
    except (TypeError, OSError):
        return os.getcwd()
