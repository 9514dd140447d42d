"""Lets suites that import ``e3.testsuite`` get testloom: a table of its modules, and a finder for it.

`MODULES` says for each module of e3-testsuite which names it has and where they come from.  A
name of the table is one that e3-testsuite documents, or one that suites are known to import from
where it only happens to be.

`install` makes the table importable in this process, in the workers, and in every Python program
that the suite starts: the directory `ON_PATH` is put into ``PYTHONPATH``; its ``e3/testsuite``
comes before an installed one, because ``e3`` is a namespace package, and calls `take_over`.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, Final

from testloom.processes.garbage import making_much

ROOT: Final = "e3.testsuite"
ON_PATH: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "on_path")

_HERE: Final = "testloom.compat.e3_modules."
_RESULTS: Final = {
    _HERE + "results": "FailureReason Log TestResult TestResultSummary TestStatus",
}
_REFINERS: Final = {
    "testloom.drivers.refiners": "CanonicalizeLineEndings LineByLine OutputRefiner"
    " PatternSubstitute RefiningChain ReplacePath Substitute",
}
_ABORTS: Final = {
    "testloom.model.errors": "TestAbortWithError TestAbortWithFailure TestSkip",
}
_FINDERS: Final = {
    _HERE + "finders": "AdaCoreLegacyTestFinder ParsedTest ProbingError TestFinder YAMLTestFinder",
}
_COMMON: Final = {
    "argparse": ".",
    "os": ".",
    "re": ".",
    "sys": ".",
    "logging": ".",
    "tempfile": ".",
    "e3.fs": "mkdir mv rm",
    "e3.env": "Env",
}
"""What suites import from a module that itself only imports it."""

MODULES: Final[Mapping[str, Mapping[str, str]]] = {
    ROOT: {
        **_COMMON,
        _HERE + "testsuite": "Testsuite TestsuiteCore logger",
        "testloom.model.errors": "TestAbort",
        "e3.collection.dag": "DAG",
        "e3.main": "Main",
        "e3.os.process": "quote_arg",
        _HERE + "results": "FailureReason Log TestResult TestResultSummary TestStatus",
        **_FINDERS,
        _HERE + "utils": "CleanupMode ColorConfig dump_environ enum_to_cmdline_args_map isatty"
        " safe_dir_walk",
        _HERE + "running_status": "RunningStatus",
        _HERE + "index": "ReportIndex",
        _HERE + "display": "generate_report summary_line",
        _HERE + "gaia": "GAIAResultFiles dump_gaia_report dump_result_logs_if_needed",
        _HERE + "xunit": "dump_xunit_report",
        _HERE + "helpers": "deprecated",
    },
    "e3.testsuite._helpers": {_HERE + "helpers": "deprecated"},
    "e3.testsuite.control": {
        "testloom.drivers.control": "TestControl TestControlCreator TestControlKind"
        " YAMLTestControlCreator logger",
        _HERE + "adacore": "AdaCoreLegacyTestControlCreator",
        _HERE + "opt_files": "OptFileParse",
    },
    "e3.testsuite.driver": {
        **_RESULTS,
        _HERE + "drivers": "BasicTestDriver ResultQueueItem TestDriver",
        _HERE + "utils": "CleanupMode",
    },
    "e3.testsuite.driver.adacore": {
        _HERE + "adacore": "AdaCoreLegacyTestControlCreator AdaCoreLegacyTestDriver",
        _HERE + "drivers": "DiffTestDriver ProcessResult",
        _HERE + "results": "FailureReason",
        **_REFINERS,
        **_ABORTS,
    },
    "e3.testsuite.driver.classic": {
        _HERE + "drivers": "ClassicTestDriver ProcessResult TestDriver",
        "testloom.drivers.classic": "TIMEOUT_OUTPUT_BYTES_RE TIMEOUT_OUTPUT_PATTERN"
        " TIMEOUT_OUTPUT_STR_RE",
        "testloom.drivers.control": "TestControl TestControlCreator YAMLTestControlCreator",
        **_ABORTS,
        **_RESULTS,
        "e3.os.process": "DEVNULL PIPE Run STDOUT quote_arg",
        "e3.fs": "rm sync_tree",
        _HERE + "utils": "CleanupMode DummyColors indent truncated",
        "testloom.model.log": "binary_repr",
    },
    "e3.testsuite.driver.diff": {
        _HERE + "drivers": "ClassicTestDriver DiffTestDriver",
        _HERE + "results": "FailureReason Log",
        **_REFINERS,
        "testloom.model.errors": "TestAbortWithError",
        _HERE + "utils": "indent truncated",
        "testloom.model.log": "binary_repr",
    },
    "e3.testsuite.event_notifications": {
        _HERE + "events": "EventNotifier InvalidNotifyCommand TestEndNotification TestNotification"
        " TestQueueNotification TestResultNotification TestStartNotification logger",
        _HERE + "results": "TestResultSummary",
    },
    "e3.testsuite.find_skipped_tests": {
        _HERE + "skipped_tests": "always_skipped_tests args_parser main",
    },
    "e3.testsuite.fragment": {
        "testloom.model.fragment": "FragmentCallback FragmentData",
        _HERE + "fragments": "ProcessTestFragment TestFragment ThreadTestFragment run_fragment",
    },
    "e3.testsuite.main": {_HERE + "e3_test": "main"},
    "e3.testsuite.multiprocess_scheduler": {
        _HERE + "fragments": "CollectResultCallback JobFactoryCallback MultiprocessScheduler"
        " SomeWorker WorkData",
        "testloom.scheduling.worker": "Worker",
        "testloom.scheduling.scheduler": "compute_next_dyn_poll logger",
    },
    "e3.testsuite.optfileparser": {
        _HERE + "opt_files": "ARG BadFormattingError OPTLINE_REGEXPS OVERIDABLE OptFileParse TAGS"
        " check_syntax_main eval_main logger",
    },
    "e3.testsuite.report": {},
    "e3.testsuite.report.display": {
        _HERE + "display": "KeyType SupportsLessThan args_parser format_result_logs"
        " generate_report main sorted_counters summary_line",
        _HERE + "index": "ReportIndex ReportIndexEntry",
        _HERE + "utils": "ColorConfig",
        _HERE + "xunit": "dump_xunit_report",
        **_RESULTS,
    },
    "e3.testsuite.report.gaia": {
        _HERE + "gaia": "FAILURE_REASON_MAP GAIAResultFiles STATUS_MAP dump_discriminants"
        " dump_gaia_report dump_result_logs dump_result_logs_if_needed gaia_status",
        **_RESULTS,
    },
    "e3.testsuite.report.index": {
        _HERE + "index": "ReportIndex ReportIndexEntry",
        **_RESULTS,
    },
    "e3.testsuite.report.rewriting": {
        _HERE + "rewriting": "BaseBaselineRewriter RewritingError RewritingSummary",
        _HERE + "utils": "ColorConfig",
    },
    "e3.testsuite.report.xunit": {
        _HERE + "xunit": "add_time_attribute dump_xunit_report escape_text etree",
        _HERE + "xunit_import": "XUnitImporter XUnitImporterApp convert_main read_xfails_from_yaml",
        _HERE + "index": "ReportIndex",
        **_RESULTS,
    },
    "e3.testsuite.result": {
        **_RESULTS,
        _HERE + "utils": "ColorConfig truncated",
        "testloom.model.log": "binary_repr",
        "yaml": ".",
    },
    "e3.testsuite.running_status": {_HERE + "running_status": "RunningStatus"},
    "e3.testsuite.testcase_finder": {
        **_FINDERS,
        _HERE + "finders": "AdaCoreLegacyTestFinder ParsedTest ProbingError TestFinder"
        " TestFinderResult YAMLTestFinder",
    },
    "e3.testsuite.utils": {
        _HERE + "utils": "CleanupMode ColorConfig DummyColors EnumType dump_environ"
        " enum_to_cmdline_args_map indent isatty safe_dir_walk",
    },
}
"""Module of e3-testsuite -> module of ours -> the names that are taken from it (``.``: itself)."""

_PACKAGES: Final = frozenset({ROOT, "e3.testsuite.driver", "e3.testsuite.report"})


def install() -> None:
    """Make ``e3.testsuite`` testloom's, here and in the Python programs started from now on.

    Modules of an installed e3-testsuite that were imported before stay with who has them; whoever
    imports them from now on gets ours.  Calling it again does nothing.
    """
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    for name in [name for name in sys.modules if name == ROOT or name.startswith(f"{ROOT}.")]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Finder())
    _put_on_path()


def take_over() -> None:
    """Be imported as ``e3.testsuite``: called by the module of that name below `ON_PATH`."""
    install()
    sys.modules.pop(ROOT, None)
    importlib.import_module(ROOT)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules of the table, before anybody else is asked."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the protocol's
        target: ModuleType | None = None,  # noqa: ARG002 - the protocol's
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in MODULES:
            return None
        return importlib.util.spec_from_loader(
            fullname, _Loader(), is_package=fullname in _PACKAGES
        )


class _Loader(importlib.abc.Loader):
    """Makes a module of the table: each of its names is fetched when somebody asks for it.

    Suites use submodules of e3-testsuite's packages without importing them, because e3-testsuite
    does it for itself: these are names as well.
    """

    def exec_module(self, module: ModuleType) -> None:
        fetchers = dict(_names(module.__name__))

        def fetch(name: str) -> Any:
            if name not in fetchers:
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            value = fetchers[name]()
            setattr(module, name, value)
            return value

        vars(module).update(
            __getattr__=fetch,
            __dir__=lambda: sorted(fetchers),
            __all__=[it for it in fetchers if it[0] != "_"],
        )


def _names(module: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield each name of *module* with what fetches it."""
    for source, names in MODULES[module].items():
        for name in names.split():
            if name == ".":
                yield source.rpartition(".")[2], functools.partial(importlib.import_module, source)
            else:
                yield name, functools.partial(_fetched, source, name)
    for other in MODULES:
        package, _, name = other.rpartition(".")
        if package == module:
            yield name, functools.partial(importlib.import_module, other)


def _fetched(source: str, name: str) -> Any:
    with contextlib.nullcontext() if source in sys.modules else making_much():
        return getattr(importlib.import_module(source), name)


def _put_on_path() -> None:
    """Let fresh interpreters find `ON_PATH` before the directory of installed packages."""
    if ON_PATH not in sys.path:
        sys.path.insert(1, ON_PATH)  # behind the directory of the script, as PYTHONPATH is
    known = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    if ON_PATH not in known:
        os.environ["PYTHONPATH"] = os.pathsep.join([ON_PATH, *known])
