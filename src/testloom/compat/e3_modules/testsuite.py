"""``e3.testsuite.Testsuite``: a suite of e3-testsuite, run by testloom.

The class keeps e3-testsuite's order of things: options, result directories, temporary directory,
notifier, `set_up`, tests, run, index, summary, reports, `tear_down`, exit status.  What happens
in between (planning, workers, journal) is testloom's own.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterable, Mapping
from typing import IO, Any

import msgspec

from testloom import discovery
from testloom.compat.e3_modules import outputs
from testloom.compat.e3_modules.choosing import (
    in_e3s_words,
    log_bad_patterns,
    passed_before,
    with_driver_and_name,
    write_as_json,
)
from testloom.compat.e3_modules.collecting import E3Collector
from testloom.compat.e3_modules.command_line import attachments, parsed, parser_of
from testloom.compat.e3_modules.ending import sigterm_exits, terminated
from testloom.compat.e3_modules.events import EventNotifier, InvalidNotifyCommand
from testloom.compat.e3_modules.finders import YAMLTestFinder
from testloom.compat.e3_modules.helpers import deprecated
from testloom.compat.e3_modules.index import ReportIndex
from testloom.compat.e3_modules.listening import E3Listener
from testloom.compat.e3_modules.places import result_dir
from testloom.compat.e3_modules.result_files import ResultFiles
from testloom.compat.e3_modules.results import TestStatus
from testloom.compat.e3_modules.running_status import RunningStatus
from testloom.compat.e3_modules.utils import ColorConfig, dump_environ, isatty
from testloom.compat.e3_modules.xunit_attachments import AttachmentsSettings
from testloom.discovery import ParsedTest, Selection, TestFinder
from testloom.discovery.yaml_tests import MISSING_DRIVER
from testloom.drivers.programs import quoted
from testloom.journal.rundir import RunDir
from testloom.model.errors import UsageError
from testloom.processes import cgroup, signals
from testloom.processes.garbage import making_much
from testloom.suite import preparing
from testloom.suite import suite as native
from testloom.suite.distributing import started
from testloom.suite.options import CommandLine
from testloom.suite.places import working_place
from testloom.suite.planning import NO_FRAGMENT, Plan, plan
from testloom.suite.plugins import listening_plugins, plugin_manager
from testloom.suite.reporting import Reporting
from testloom.suite.run import Listeners, RunOutcome, executed

logger = logging.getLogger("testsuite")

_MANY_JOBS = 16
"""More jobs than this, and e3-testsuite runs fragments in processes if the suite supports it."""


class TestsuiteCore(native.Testsuite):
    """A suite of tests: what e3-testsuite calls by this name, without defaults to override."""

    __test__ = False

    def __init__(
        self, root_dir: str | None = None, testsuite_name: str = "Untitled testsuite"
    ) -> None:
        super().__init__(root_dir, testsuite_name)
        self.old_output_dir: str | None = None
        self.use_multiprocessing = False
        self.test_list: list[ParsedTest] = []
        self.report_index = ReportIndex("")
        self.return_values: dict[str, Any] = {}
        self.result_tracebacks: dict[str, list[str]] = {}
        self.colors = ColorConfig(colors_enabled=False)
        self.Fore, self.Style = self.colors.Fore, self.colors.Style
        self.running_status: RunningStatus
        self.event_notifier: EventNotifier
        self._drivers_envs: dict[str, dict[str, Any]] = {}

    # -- what suites override -------------------------------------------------------------------

    auto_generate_text_report: bool = False
    """Whether to write the file ``report`` unless told not to."""
    multiprocessing_supported: bool = False
    """Whether drivers can be made anew in a fresh interpreter."""

    @property
    def test_finders(self) -> list[TestFinder]:
        return [YAMLTestFinder()]

    def test_name(self, test_dir: str) -> str:
        return discovery.e3_name(self.test_dir, test_dir)

    def compute_use_multiprocessing(self) -> bool:
        """Tell whether e3-testsuite would run fragments in processes of their own."""
        if self.main.args.force_multiprocessing:
            return True
        return bool(self.multiprocessing_supported) and self.main.args.jobs > _MANY_JOBS

    def write_comment_file(self, comment_file: IO[str]) -> None:
        """Write what people should know of the run to the file ``comment``."""
        arguments = quoted(sys.argv)
        comment_file.write(f"Testsuite options:\n  {arguments}\n")

    def dump_testsuite_result(self) -> None:
        """Show how many results there are of each status, and write the file ``comment``."""
        logger.info("%s", outputs.summary(self.report_index, self.colors))
        path = os.path.join(self.output_dir, "comment")
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            self.write_comment_file(file)

    def get_test_list(self, sublist: list[str]) -> list[ParsedTest]:
        """Return the tests that *sublist* (directories, or regular expressions) selects."""
        log_bad_patterns(sublist)
        options = self.options
        selection = Selection.parse(
            sublist,
            test_dir=self.test_dir,
            keyword=options.keyword,
            exclude=options.exclude,
            regexps_only=True,
        )
        found = discovery.discover(
            self,
            roots=[self.test_dir],
            finders=self.test_finders,
            selection=selection,
            skip=[self.output_dir],
        )
        broken = [in_e3s_words(one) for one in found.broken]
        self.broken_tests += broken
        for warning in found.warnings:
            logger.debug("%s", warning)
        driverless = sum(one.message == MISSING_DRIVER for one in broken)
        logger.info("Found %d tests", len(found.tests) + driverless)
        return found.tests

    def tear_down(self) -> None:
        """Clean up after the run; called once `set_up` has ended, whatever happens then.

        What was worked in is removed afterwards, if it is to be.
        """

    # -- what only old suites use ---------------------------------------------------------------

    @property
    @deprecated(stacklevel=1)
    def test_counter(self) -> int:
        """How many results there are."""
        return len(self.report_index.entries)

    @property
    @deprecated(stacklevel=1)
    def test_status_counters(self) -> dict[TestStatus, int]:
        """How many results there are of each status."""
        return self.report_index.status_counters

    @property
    @deprecated(stacklevel=1)
    def results(self) -> dict[str, TestStatus]:
        """The status of each result."""
        return {name: entry.status for name, entry in self.report_index.entries.items()}

    # -- the way through a run ------------------------------------------------------------------

    def testsuite_main(self, args: list[str] | None = None) -> int:
        """Run the suite with the command line *args* (``sys.argv[1:]`` if None).

        Returns:
            The exit status: 0, or ``--failure-exit-code`` if there was a FAIL or an ERROR, 1 if
            the run could not begin, 3 if its results could not be kept.
        """
        with sigterm_exits():
            try:
                signum, code = self._main(args)
            except UsageError as error:
                logger.critical("%s", error)
                return 1
            except InvalidNotifyCommand as error:
                logger.error("%s", error, exc_info=error.__cause__)  # noqa: TRY400 - the cause only
                return 1
        if signum == signal.SIGTERM:
            terminated(signum, None)
        if signum:
            with contextlib.suppress(OSError):
                sys.stdout.flush()
            signals.die_by(signum)
        return code

    def _main(self, args: list[str] | None) -> tuple[int, int]:
        line = self._parse(args)
        self._prepare(line)
        options = line.namespace
        previous: frozenset[str] = frozenset()
        if options.skip_passed:
            previous = passed_before(options.output_dir, options.old_output_dir)
        keep = [self.root_dir, self.test_dir, os.getcwd()]
        with (
            result_dir(options, keep=keep) as run_dir,
            working_place(line.options, is_listing=False) as places,
        ):
            self._enter_results(run_dir)
            self.enter(places)
            self._enter_exchange()
            self.event_notifier = EventNotifier(self, options.notify_events)
            attached = attachments(options)
            self.set_up()
            try:
                self._add_drivers()
                with making_much():
                    self.test_list = self._tests(line, previous)
                if options.list_json is not None:
                    write_as_json(self.test_list, options.list_json)
                    return 0, 0
                if self._is_listing:
                    return 0, self._list(self.test_list)
                outcome = self._run_tests(line, run_dir, attached)
            finally:
                self.tear_down()
            if options.generate_text_report:
                outputs.write_text_report(self.report_index, self.old_output_dir)
        return outcome.signum, self._code(outcome)

    # -- steps ----------------------------------------------------------------------------------

    def _parse(self, args: list[str] | None) -> CommandLine:
        text_report = self.auto_generate_text_report
        parser = parser_of({**self._defaults, "generate_text_report": text_report})
        self.main = native.Main(parser)
        self.add_options(parser)
        self._plugins = plugin_manager((), self.plugins)
        line = parsed(parser, args, temp_dir=self.env.tmp_dir)
        self.main.args = line.namespace
        self.options = line.options
        return line

    def _prepare(self, line: CommandLine) -> None:
        """Fill the environment that drivers see."""
        args, env = line.namespace, self.env
        on_terminal = isatty(sys.stdout) and isatty(sys.stderr) and not args.log_file
        self.colors = ColorConfig(on_terminal and not args.nocolor)
        self.Fore, self.Style = self.colors.Fore, self.colors.Style
        args.show_error_output = args.show_error_output or on_terminal
        preparing.set_platforms(env, line.options)
        env.enable_colors = on_terminal and not args.nocolor
        env.root_dir, env.test_dir = self.root_dir, self.test_dir
        env.options = env.main_options = args
        if line.options.update_baselines:
            env.rewrite_baselines = True
        env.modules_search_path = [os.path.dirname(os.path.abspath(sys.argv[0])), *sys.path]
        self.broken_tests, self.notes = [], []

    def _enter_results(self, run_dir: RunDir) -> None:
        self.output_dir = self.env.output_dir = run_dir.path
        self.old_output_dir = run_dir.previous
        self.report_index = ReportIndex(run_dir.path)
        args = self.main.args
        self.running_status = RunningStatus(
            os.path.join(run_dir.path, "status"),
            args.status_update_interval,
            args.max_consecutive_failures,
        )
        if args.dump_environ:
            dump_environ(os.path.join(run_dir.path, "environ.sh"), self.env)

    def _enter_exchange(self) -> None:
        """Make the directory in which the parts of e3-testsuite meet; suites look there, too."""
        self.exchange_dir = os.path.join(self.working_dir, "exchange")
        self.env_filename = os.path.join(self.exchange_dir, "_env.bin")
        self.env.exchange_dir, self.env.env_filename = self.exchange_dir, self.env_filename

    def _add_drivers(self) -> None:
        self.effective_drivers: Mapping[str, type[Any]] = self.test_driver_map
        self.effective_default_driver = self.default_driver

    def _tests(self, line: CommandLine, previous: frozenset[str]) -> list[ParsedTest]:
        """Return the tests to run; those that cannot be run are in `broken_tests`."""
        found = self.get_test_list(list(line.namespace.sublist))
        tests, broken = with_driver_and_name(found, self.test_driver_map, self.default_driver)
        self.broken_tests += broken
        if previous:
            tests = [test for test in tests if test.test_name not in previous]
        if not tests and not self.broken_tests:
            logger.warning("no test is selected: this run says nothing")
        return tests

    def _run_tests(
        self, line: CommandLine, run_dir: RunDir, attached: AttachmentsSettings | None
    ) -> RunOutcome:
        options = line.options
        distributor = started(options.distributor, os.getcwd())
        if distributor is None and not options.in_process:
            cgroup.start_warming()  # as in a run of testloom
        with making_much():
            the_plan = self.plan(self.test_list)
        self.use_multiprocessing = self.env.use_multiprocessing = self.compute_use_multiprocessing()
        if line.namespace.force_multiprocessing:
            options = msgspec.structs.replace(options, start_method="spawn")
        outputs.store_env(self.env, self.env_filename)
        dot = os.path.join(self.output_dir, "tests.dot")
        outputs.write_dot(dot, the_plan.owners, the_plan.graph)
        info = self._info(run_dir, options, the_plan)
        self.running_status.set_total(len(the_plan.owners))
        settings = preparing.worker_settings(options, info, distributor)
        self._places.name_run(settings.name, run_dir.path)
        settings = msgspec.structs.replace(
            settings,
            timeout_s=None if line.namespace.timeout is None else settings.timeout_s,
            with_threads=True,  # there are suites whose `set_up` starts servers
        )
        reporting = Reporting.of(
            msgspec.structs.replace(options, xunit_output=None), run_dir.path, {}
        )
        with (
            preparing.journal_of(run_dir, info, the_plan) as journal,
            ResultFiles(run_dir.path, journal, self._drivers_envs) as files,
        ):
            listener = self._listener(the_plan, files)
            running = executed(
                the_plan,
                info=info,
                env=self.env,
                settings=settings,
                limits=preparing.limits_of(options),
                journal=journal,
                listeners=Listeners([listener, *listening_plugins(self._plugins, logger.warning)]),
                collector=E3Collector,
            )
            with running as outcome:
                summary = self._summary(info, outcome, journal)
                files.close()
                self._tell(outcome, (*reporting.write(summary), *filter(None, [files.problem])))
                code = self._code(outcome)
                self._tell(outcome, preparing.written_to_the_end(journal, outcome, code))
                self.report_index.duration = outcome.duration_s
                if the_plan.owners:
                    self.running_status.dump()
            self._finish(attached)  # results are read from the journal, which takes less time
        self.report_index.loader = None
        return outcome

    @staticmethod
    def _tell(outcome: RunOutcome, problems: Iterable[str]) -> None:
        for problem in problems:
            logger.error("%s", problem)
            outcome.broken_down = outcome.broken_down or problem

    def plan(self, tests: list[ParsedTest]) -> Plan:
        """Return the graph of the fragments of *tests*, as e3-testsuite would have it."""
        the_plan = plan(
            tests, self.broken_tests, env=self.env, root=self.root_dir, adjust=self._adjust
        )
        # A driver may have nothing to run: such a test leaves no trace.
        the_plan.broken[:] = [broken for broken in the_plan.broken if broken.message != NO_FRAGMENT]
        return the_plan

    def _adjust(self, dag: Any) -> None:
        """Give the drivers what suites expect of them, then let the suite add its edges."""
        drivers = {id(data.driver): data.driver for data in dag.vertex_data.values()}
        for driver in drivers.values():
            driver.Fore, driver.Style = self.Fore, self.Style
            self._drivers_envs[driver.test_name] = driver.test_env
            self.event_notifier.notify_test_queue(driver.test_name)
        self.adjust_dag_dependencies(dag)

    def _listener(self, the_plan: Plan, files: ResultFiles) -> E3Listener:
        args = self.main.args
        return E3Listener(
            index=self.report_index,
            files=files,
            status=self.running_status,
            notifier=self.event_notifier,
            tests=the_plan.tests,
            envs=self._drivers_envs,
            colors=self.colors,
            show_error_output=args.show_error_output,
            show_time_info=args.show_time_info,
        )

    def _finish(self, attached: AttachmentsSettings | None) -> None:
        """Write the index, then what is made of it."""
        args, index = self.main.args, self.report_index
        index.write()
        self.dump_testsuite_result()
        # What is not asked for is not imported: few want both, and many neither.
        if args.xunit_output:
            from testloom.compat.e3_modules import xunit  # noqa: PLC0415 - see above

            xunit.dump_xunit_report(self.testsuite_name, index, args.xunit_output, attached)
        if args.gaia_output:
            from testloom.compat.e3_modules import gaia  # noqa: PLC0415 - see above

            gaia.dump_gaia_report(index, self.output_dir, getattr(self.env, "discs", None))

    def _code(self, outcome: RunOutcome) -> int:
        if outcome.broken_down:
            return native.EXIT_INCOMPLETE
        return self.main.args.failure_exit_code if self.report_index.has_failures else 0


class Testsuite(TestsuiteCore):
    """A suite of tests. Subclass it to say where they are and how they are run."""

    __test__ = False
