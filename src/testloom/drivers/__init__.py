"""Classes that know how to run one kind of test."""

from testloom.drivers.base import CleanupMode, ResultQueueItem, TestDriver
from testloom.drivers.basic import BasicTestDriver
from testloom.drivers.classic import ClassicTestDriver, ProcessResult
from testloom.drivers.command import CommandDriver
from testloom.drivers.control import (
    TestControl,
    TestControlCreator,
    TestControlKind,
    YAMLTestControlCreator,
)
from testloom.drivers.diff import DiffTestDriver
from testloom.drivers.refiners import (
    CanonicalizeLineEndings,
    LineByLine,
    OutputRefiner,
    PatternSubstitute,
    RefiningChain,
    ReplacePath,
    Substitute,
)
from testloom.model.errors import TestAbort, TestAbortWithError, TestAbortWithFailure, TestSkip
from testloom.model.log import Log
from testloom.model.result import TestResult
from testloom.model.status import FailureReason, TestStatus

__all__ = [
    "BasicTestDriver",
    "CanonicalizeLineEndings",
    "ClassicTestDriver",
    "CleanupMode",
    "CommandDriver",
    "DiffTestDriver",
    "FailureReason",
    "LineByLine",
    "Log",
    "OutputRefiner",
    "PatternSubstitute",
    "ProcessResult",
    "RefiningChain",
    "ReplacePath",
    "ResultQueueItem",
    "Substitute",
    "TestAbort",
    "TestAbortWithError",
    "TestAbortWithFailure",
    "TestControl",
    "TestControlCreator",
    "TestControlKind",
    "TestDriver",
    "TestResult",
    "TestSkip",
    "TestStatus",
    "YAMLTestControlCreator",
]
