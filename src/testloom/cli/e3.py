"""``testloom e3 SCRIPT``: run a suite that was written for e3-testsuite, and its tools.

Scripts see themselves as the main program, with the arguments that they were given.
"""

from __future__ import annotations

import os
import runpy
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Final

from testloom.compat import e3
from testloom.compat.scripts import run_script
from testloom.model.errors import UsageError, nearest

USAGE: Final = """\
usage: testloom e3 SCRIPT [ARGUMENT...]      run a suite written for e3-testsuite, unchanged
       testloom e3 -m MODULE [ARGUMENT...]   the same, as python -m MODULE would
       testloom e3 TOOL [ARGUMENT...]        one of its tools, or testloom e3-TOOL:
                                             report, convert-xunit, find-skipped-tests,
                                             opt-parser, opt-check, test
"""
_FAILED: Final = 1
_TOOLS: Final = {
    "report": ("e3.testsuite.report.display", "main"),
    "convert-xunit": ("e3.testsuite.report.xunit", "convert_main"),
    "find-skipped-tests": ("e3.testsuite.find_skipped_tests", "main"),
    "opt-parser": ("e3.testsuite.optfileparser", "eval_main"),
    "opt-check": ("e3.testsuite.optfileparser", "check_syntax_main"),
    "test": ("e3.testsuite.main", "main"),
}


def run(args: Sequence[str]) -> int:
    """Run the script, the module or the tool that *args* name; return the exit status."""
    if not args or args[0] in ("-h", "--help"):
        sys.stdout.write(USAGE)
        return 0
    name, rest = args[0], list(args[1:])
    e3.install()
    if name == "-m":
        if not rest:
            raise UsageError("e3: -m needs the name of a module")
        return _run_module(rest[0], rest[1:])
    if name in _TOOLS:
        return _run_tool(name, rest)
    if os.path.isfile(name):
        return _status(lambda: run_script(name, rest))
    hint = nearest(name, _TOOLS) or "; name the script that runs the suite"
    raise UsageError(f"e3: there is no file {name!r}{hint}")


def _run_tool(name: str, args: Sequence[str]) -> int:
    module, function = _TOOLS[name]
    sys.argv[:] = [f"e3-{name}", *args]
    __import__(module)
    return _status(getattr(sys.modules[module], function))


def _run_module(name: str, args: list[str]) -> int:
    sys.argv[:] = [name, *args]
    sys.path[0] = os.getcwd()
    return _status(lambda: runpy.run_module(name, run_name="__main__", alter_sys=True))


def _status(main: Callable[[], object]) -> int:
    """Call *main*; return its exit status. What the suite raises is shown as Python shows it."""
    try:
        returned = main()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return _FAILED
    except (UsageError, KeyboardInterrupt, BrokenPipeError):
        raise
    except Exception as error:  # noqa: BLE001 - the suite's own code
        traceback.print_exception(error)
        return _FAILED
    return returned if isinstance(returned, int) else 0
