"""The stable, machine-readable reasons a result may carry.

Every result that is not a plain PASS says why in one of these words, some followed by a colon
and a detail (``exit:3``, ``crash:SIGSEGV``).  Scripts and the history match on them: a word is
never reused for something else.
"""

from __future__ import annotations

from typing import Final

from testloom.model.status import signal_name

TIMEOUT: Final = "timeout"
OUTPUT_LIMIT: Final = "output-limit"
DIFF: Final = "diff"
LEAK: Final = "leak"
OOM: Final = "oom"
EXIT_BEFORE_RESULT: Final = "exit-before-result"
NO_RESULT: Final = "no-result"
DUPLICATE_RESULT: Final = "duplicate-result"
PROTOCOL: Final = "protocol"
UNPICKLABLE: Final = "unpicklable"
RESULT_TOO_LARGE: Final = "result-too-large"
EXCEPTION: Final = "exception"
CONFIG: Final = "config"
DUPLICATE_TEST: Final = "duplicate-test"
CYCLE: Final = "cycle"
CONSTRUCTOR: Final = "constructor"
ADD_TEST: Final = "add-test"
DEPENDENCY_FAILED: Final = "dependency-failed"
RUN_ABORTED: Final = "run-aborted"
INTERRUPTED: Final = "interrupted"
WORKER_START: Final = "infra:worker-start"
WORKER_LOST: Final = "infra:worker-lost"


def crash(signum: int) -> str:
    """Return the reason for a death by signal *signum*."""
    return f"crash:{signal_name(signum)}"


def exited(code: int) -> str:
    """Return the reason for an unexpected exit status *code*."""
    return f"exit:{code}"
