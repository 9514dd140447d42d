"""testloom: runs test suites whose tests are data.

A suite is a subclass of `Testsuite`; drivers are in `testloom.drivers`, finders in
`testloom.discovery`, the scheduler in `testloom.scheduling`.
"""

from __future__ import annotations

from testloom._version import __version__

# Not from `typing`, which takes as long to import as all that the command line does first.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from testloom.pytest_plugin.keeping import run_scoped
    from testloom.suite.suite import Testsuite

__all__ = ["Testsuite", "__version__", "run_scoped"]


def __getattr__(name: str) -> Any:
    # Late, so that asking the command line for help does not import everything.
    if name == "Testsuite":
        from testloom.processes.garbage import making_much  # noqa: PLC0415 - see above

        with making_much():
            from testloom.suite.suite import Testsuite  # noqa: PLC0415 - see above

        return Testsuite
    if name == "run_scoped":
        from testloom.pytest_plugin.keeping import run_scoped  # noqa: PLC0415 - it needs pytest

        return run_scoped
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
