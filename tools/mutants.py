"""Breaks one guard of the program after the other, in a copy, and sees whether a test notices.

    python tools/mutants.py             tries all mutants and prints the list
    python tools/mutants.py lock path   tries those whose guards have one of these words

The mutants are data, in tests/faults/mutants.yaml.  Each is killed if a test that is named with it
fails, or does not end, and only then; the exit status is 1 if one lives, 2 if one cannot be made.
First the same tests run on the copy as it is: where they fail without any mutant, they prove nothing.

Needs the interpreter of ``./check``, and takes some minutes.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import rows

sys.path.insert(0, str(rows.ROOT))

from tests.faults.mutant import SOURCES, Mutant, mutants, problem

LIMIT_S: Final = 120.0
"""How long the tests of one mutant may take; what takes longer hangs."""
PATIENCE_S: Final = "10"
"""How long scenarios wait for what does not come."""


def main() -> int:
    """Try the mutants; print what became of each."""
    wanted = [one for one in mutants() if _is_wanted(one)]
    problems = [what for one in wanted for edit in one.edits if (what := problem(edit, rows.ROOT))]
    for what in problems:
        print(f"mutants: {what}", file=sys.stderr)  # noqa: T201 - a tool
    if problems or not wanted:
        return 2
    with tempfile.TemporaryDirectory(prefix="testloom-mutants-") as directory:
        copy = Path(directory, "copy")
        _copy(copy)
        tests = sorted({test for mutant in wanted for test in mutant.tests})
        verdict, tail = _run(copy, tests, limit_s=LIMIT_S * 5)
        if verdict != "lives":
            print(f"mutants: the tests {verdict} without any mutant:\n{tail}", file=sys.stderr)  # noqa: T201
            return 2
        lived = sum(not _is_killed(copy, number, mutant) for number, mutant in enumerate(wanted))
    print(f"{len(wanted) - lived} of {len(wanted)} mutants killed")  # noqa: T201
    return 1 if lived else 0


def _is_wanted(mutant: Mutant) -> bool:
    words = sys.argv[1:]
    return not words or any(word in mutant.guard for word in words)


def _copy(target: Path) -> None:
    for name in ("src", "tests", "testsuite", "docs", "tools", "pyproject.toml", "testloom.toml"):
        source = rows.ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target / name)


def _is_killed(copy: Path, number: int, mutant: Mutant) -> bool:
    """Apply *mutant* to *copy*, run its tests, and take it back."""
    before: dict[Path, str] = {}
    for edit in mutant.edits:
        path = copy / SOURCES / edit.file
        text = path.read_text(encoding="utf-8")
        before.setdefault(path, text)
        _write(path, text.replace(edit.find, edit.put), number)
    verdict, tail = _run(copy, mutant.tests)
    for path, text in before.items():
        _write(path, text, -1 - number)
    print(f"{verdict:<8}{mutant.guard}", flush=True)  # noqa: T201
    if verdict == "breaks":
        print(tail)  # noqa: T201
    return verdict in ("killed", "hangs")


def _write(path: Path, text: str, number: int) -> None:
    """Write *text*, as of a second of its own: compiled files are told from older ones by that."""
    path.write_text(text, encoding="utf-8")
    os.utime(path, (1_000_000_000 + number, 1_000_000_000 + number))


def _run(copy: Path, tests: Sequence[str], limit_s: float = LIMIT_S) -> tuple[str, str]:
    """Run *tests* of *copy*: whether a mutant is killed, lives, hangs or breaks them; what is said.

    They are in a PID namespace where that is allowed, so that nothing outlives them.
    """
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    command += ["--basetemp", str(copy.parent / "pytest"), *tests]
    if _has_namespaces():
        # The shell is the first process there, as pytest is not made for that.
        inner = ["sh", "-c", '"$@"; exit $?', "sh", *command]
        command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", *inner]
    process = subprocess.Popen(
        command,
        cwd=copy,
        env={
            **os.environ,
            "PYTHONPATH": str(copy / "src"),
            "TESTLOOM_PATIENCE_S": PATIENCE_S,
            "TMPDIR": str(copy.parent),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return "hangs", ""
    tail = "\n".join(said.splitlines()[-30:])
    if process.returncode == 1 and re.search(r"\d+ failed", tail):
        return "killed", tail
    return ("lives" if process.returncode == 0 else "breaks"), tail


def _has_namespaces() -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "true"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
