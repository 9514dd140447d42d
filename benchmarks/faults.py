"""The same faults in testloom and in other runners, side by side.

    python benchmarks/faults.py                  all runners and faults, as a table in Markdown
    python benchmarks/faults.py lit daemon       those whose names have one of these words

Each runner gets one test that does what the fault says and eight healthy ones, two at a time, in the way its manual
documents.  What is told are facts: how the runner ended (after 30 s it is killed), what its JUnit
report says of the faulty test and how many healthy ones passed in it, and how many processes of the run were still
there two seconds after its end.  Runners that are not there are installed as for the other comparisons.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from environments import REPOSITORY, Environments, Missing, OwnPython, Packaged, Tool, version_of

from testloom._version import __version__
from testloom.processes import prctl, tree

HANGS_S = 30.0
HEALTHY = 8
COOKIE = "TESTLOOM_BESIDE"


@dataclass(frozen=True, slots=True)
class Fault:
    """What one test does: a shell script, or Python code in the runner's own process for tests."""

    name: str
    sh: str = ""
    python: str = ""
    limit_s: int = 0
    befalls: str = ""
    """What is done to the runner itself when the test runs."""
    is_broken: bool = False
    """Whether the file of the test makes no sense."""


SLEEPS = "echo $$ > $HERE; exec sleep 300"
FAULTS = (
    Fault("the program dies by SIGSEGV", sh="kill -SEGV $$"),
    Fault("the program kills its parent", sh="kill -9 $PPID"),
    Fault("the test's Python code calls os._exit(0)", python="os._exit(0)"),
    Fault("the test's Python code is killed by SIGKILL", python="os.kill(os.getpid(), 9)"),
    Fault("the program leaves a daemon that holds its output", sh="sleep 300 & exit 0"),
    Fault(
        "the program writes 100 MB and fails", sh="head -c 100000000 /dev/zero | tr '\\0' x; exit 1"
    ),
    Fault(
        "limit of 1 s, SIGTERM ignored",
        sh="trap '' TERM INT; while :; do sleep 300; done",
        limit_s=1,
    ),
    Fault("the file of the test makes no sense", is_broken=True),
    Fault("Ctrl-C", sh=SLEEPS, befalls="INT"),
    Fault("Ctrl-C, SIGTERM and SIGINT ignored", sh=f"trap '' TERM INT; {SLEEPS}", befalls="INT"),
    Fault("the runner is killed by SIGKILL", sh=SLEEPS, befalls="KILL"),
)


class Runner:
    """A runner of tests."""

    name = ""
    tool: Tool
    package = ""
    knows_python = True
    has_limits = True

    def __init__(self, program: Path) -> None:
        self.program = program

    @property
    def version(self) -> str:
        return version_of(self.program, self.package)

    def write(self, place: Path, name: str, fault: Fault) -> None:
        """Write the test *name* that does what *fault* says."""
        raise NotImplementedError

    def finish(self, place: Path, fault: Fault) -> None:
        """Write what the whole needs."""

    def argv(self, place: Path, fault: Fault) -> Sequence[str | Path]:
        """Return what runs all tests, two at a time, and writes ``report.xml``."""
        raise NotImplementedError


class Testloom(Runner):
    name, tool, package = "testloom", OwnPython(), "testloom"

    @property
    def version(self) -> str:
        return __version__

    def write(self, place: Path, name: str, fault: Fault) -> None:
        test = place / "tests" / name
        test.mkdir(parents=True)
        lines = ["driver: python", f"code: {fault.python!r}"] if fault.python else []
        if fault.sh:
            (test / "test.sh").write_text(fault.sh)
            lines = ["driver: command", "cmd: [sh, test.sh]"]
        if fault.limit_s:
            lines.append(f"timeout: {fault.limit_s}")
        (test / "test.yaml").write_text("cmd: [" if fault.is_broken else "\n".join(lines))

    def finish(self, place: Path, fault: Fault) -> None:  # noqa: ARG002 - the interface
        (place / "suite.py").write_text(
            "import os\nimport testloom\nfrom testloom.drivers import TestDriver, TestStatus\n"
            "class Code(TestDriver):\n"
            "    def add_test(self, dag):\n        self.add_fragment(dag, 'run')\n"
            "    def run(self, previous, slot):\n        exec(self.test_env['code'])\n"
            "        self.result.set_status(TestStatus.PASS)\n        self.push_result()\n"
            "class Suite(testloom.Testsuite):\n    tests_subdir = 'tests'\n"
            "    test_driver_map = {'python': Code}\n"
        )
        (place / "testloom.toml").write_text('suite = "suite.py:Suite"\n')

    def argv(self, place: Path, fault: Fault) -> Sequence[str | Path]:  # noqa: ARG002 - the interface
        return (self.program, "-m", "testloom", "-j2", "--report", "junit=report.xml")


class E3(Runner):
    name, tool, package = (
        "e3-testsuite",
        Packaged("python", ("e3-testsuite==27.3",)),
        "e3-testsuite",
    )

    def write(self, place: Path, name: str, fault: Fault) -> None:
        test = place / "tests" / name
        test.mkdir(parents=True)
        (test / "test.sh").write_text(fault.sh)
        lines = ["driver: code", f"code: {fault.python!r}"] if fault.python else ["driver: sh"]
        (test / "test.yaml").write_text(
            "driver: [" if fault.is_broken else "\n".join([*lines, f"limit: {fault.limit_s}"])
        )

    def finish(self, place: Path, fault: Fault) -> None:  # noqa: ARG002 - the interface
        (place / "suite.py").write_text(
            "import os, sys\nfrom e3.testsuite import Testsuite\n"
            "from e3.testsuite.driver.classic import ClassicTestDriver\n"
            "class Code(ClassicTestDriver):\n"
            "    def run(self):\n        exec(self.test_env['code'])\n"
            "class Sh(ClassicTestDriver):\n"
            "    def run(self):\n        limit = self.test_env['limit'] or None\n"
            "        self.shell(['sh', self.test_dir('test.sh')], timeout=limit)\n"
            "class Suite(Testsuite):\n    tests_subdir = 'tests'\n"
            "    test_driver_map = {'code': Code, 'sh': Sh}\n"
            "if __name__ == '__main__':\n    sys.exit(Suite().testsuite_main())\n"
        )

    def argv(self, place: Path, fault: Fault) -> Sequence[str | Path]:  # noqa: ARG002 - the interface
        return (self.program, "suite.py", "-j2", "--xunit-output=report.xml")


class Lit(Runner):
    name, tool, package = "lit", Packaged("lit", ("lit", "psutil")), "lit"
    knows_python = False

    def write(self, place: Path, name: str, fault: Fault) -> None:
        (place / "tests").mkdir(exist_ok=True)
        script = place / "tests" / f"{name}.script"
        script.write_text(fault.sh)
        line = "RUN" if fault.is_broken else "RUN:"
        (place / "tests" / f"{name}.test").write_text(f"# {line} sh {script}\n")

    def finish(self, place: Path, fault: Fault) -> None:  # noqa: ARG002 - the interface
        (place / "tests" / "lit.cfg.py").write_text(
            "import os\nimport lit.formats\nconfig.name = 'suite'\nconfig.suffixes = ['.test']\n"
            "config.test_format = lit.formats.ShTest(False)\n"
            f"config.environment.update({{k: os.environ[k] for k in ('HERE', {COOKIE!r})}})\n"
        )

    def argv(self, place: Path, fault: Fault) -> Sequence[str | Path]:  # noqa: ARG002 - the interface
        limit = ("--timeout", str(fault.limit_s)) if fault.limit_s else ()
        return (self.program, "-j2", *limit, "--xunit-xml-output", "report.xml", "tests")


class Xdist(Runner):
    name, package = "pytest-xdist", "pytest-xdist"
    tool = Packaged("pytest", ("pytest", "pytest-xdist", "pytest-timeout"))

    def write(self, place: Path, name: str, fault: Fault) -> None:
        body = fault.python or f"subprocess.run(['sh', '-c', {fault.sh!r}], check=True)"
        mark = f"@pytest.mark.timeout({fault.limit_s})\n" if fault.limit_s else ""
        (place / f"test_{name.replace('-', '_')}.py").write_text(
            "def test_x(:\n"
            if fault.is_broken
            else f"import os, pytest, subprocess\n{mark}def test_{name.replace('-', '_')}():\n    {body}\n"
        )

    def argv(self, place: Path, fault: Fault) -> Sequence[str | Path]:  # noqa: ARG002 - the interface
        more = ("-p", "no:cacheprovider", "--junitxml=report.xml")
        return (self.program, "-q", "-n2", *more)


class Avocado(Runner):
    name, tool, package = (
        "Avocado",
        Packaged("avocado", ("avocado-framework",)),
        "avocado-framework",
    )
    knows_python = False

    def write(self, place: Path, name: str, fault: Fault) -> None:
        script = place / f"{name}.sh"
        script.write_text(f"#!/bin/{'nowhere' if fault.is_broken else 'sh'}\n{fault.sh}\n")
        script.chmod(0o755)

    def finish(self, place: Path, fault: Fault) -> None:
        limit = f"[task.timeout]\nrunning = {fault.limit_s}\n" if fault.limit_s else ""
        (place / "avocado.conf").write_text(limit)

    def argv(self, place: Path, fault: Fault) -> Sequence[str | Path]:  # noqa: ARG002 - the interface
        tests = sorted(path.name for path in place.glob("*.sh"))
        where = ("--job-results-dir", str(place / "jobs"), "--xunit", "report.xml")
        start = (self.program, "--config", "avocado.conf", "run", "--max-parallel-tasks", "2")
        return (*start, *where, *(f"./{test}" for test in tests))


RUNNERS = (Testloom, E3, Lit, Xdist, Avocado)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("words", nargs="*")
    parser.add_argument("--repeat", type=int, default=3, help="what differs between rounds is told")
    parser.add_argument("--cache", type=Path, default=REPOSITORY / ".run-tests" / "bench")
    args = parser.parse_args()
    runners = []
    for kind in RUNNERS:
        try:
            runners.append(kind(Environments(args.cache).path_of(kind.tool)))
        except Missing as why:
            print(f"{kind.name}: left out: {why}", file=sys.stderr)
    prctl.become_subreaper()
    # Whoever started us in the background has had it ignored, and the runners would ignore it, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    chosen = [one for one in runners if _named(one.name, args.words, [r.name for r in runners])]
    faults = [one for one in FAULTS if _named(one.name, args.words, [f.name for f in FAULTS])]
    print("| | " + " | ".join(f"{one.name} {one.version}" for one in chosen) + " |")
    print("|---" * (len(chosen) + 1) + "|")
    for fault in faults:
        print(
            f"| {fault.name} | "
            + " | ".join(_facts(one, fault, args.repeat) for one in chosen)
            + " |",
            flush=True,
        )
    return 0


def _named(name: str, words: Sequence[str], names: Sequence[str]) -> bool:
    meant = [word for word in words if any(word in other for other in names)]
    return not meant or any(word in name for word in meant)


def _facts(runner: Runner, fault: Fault, times: int) -> str:
    """Return what happens; if that is not the same each time, all of it."""
    return ", or ".join(dict.fromkeys(_tried(runner, fault) for _ in range(times)))


def _tried(runner: Runner, fault: Fault) -> str:
    """Return what happens, for people."""
    if fault.python and not runner.knows_python:
        return "-"
    with tempfile.TemporaryDirectory(
        prefix="testloom-beside-", ignore_cleanup_errors=True
    ) as directory:
        place = Path(directory)
        for number in range(HEALTHY):
            runner.write(place, f"healthy-{number}", Fault("", sh="true"))
        runner.write(place, "m-faulty", fault)
        runner.finish(place, fault)
        how, left = _run(runner, place, fault)
        facts = [how, *_reported(place / "report.xml", fault)]
        facts.append(f"{left} processes left" if left else "nothing left")
        return "; ".join(facts)


def _run(runner: Runner, place: Path, fault: Fault) -> tuple[str, int]:
    """Run it; return how it ended, and how many processes are left two seconds later."""
    os.mkfifo(place / "here")
    here = os.open(place / "here", os.O_RDWR | os.O_NONBLOCK)
    cookie = uuid.uuid4().hex
    path = f"{runner.program.parent}{os.pathsep}{os.environ['PATH']}"
    environ = {
        **os.environ,
        COOKIE: cookie,
        "HERE": str(place / "here"),
        "PATH": path,
        "HOME": str(place),
    }
    with (place / "output").open("wb") as output:
        process = subprocess.Popen(
            [*runner.argv(place, fault)],
            cwd=place,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    if fault.befalls and _arrived(here):
        if fault.befalls == "INT":  # a terminal sends it to the whole group
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.kill()
    os.close(here)
    hangs = not tree.wait_gone([process.pid], HANGS_S)
    if hangs:
        process.kill()
    code = process.wait()
    ours = _with_cookie(cookie)
    tree.wait_gone(ours, 2.0)
    left = len(_with_cookie(cookie))
    tree.signal_all(ours, signal.SIGKILL)
    tree.kill_below(os.getpid())
    if hangs:
        return f"has not ended after {HANGS_S:g} s", left
    how = f"dies by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
    return how, left


def _arrived(fd: int) -> bool:
    """Wait until the faulty test says that it runs."""
    return bool(select.select([fd], [], [], HANGS_S)[0])


def _with_cookie(cookie: str) -> list[int]:
    word = f"{COOKIE}={cookie}".encode()
    found = []
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdecimal() and word in Path("/proc", name, "environ").read_bytes():
                found.append(int(name))
    return [pid for pid in found if not tree.is_zombie(pid)]


def _reported(path: Path, fault: Fault) -> list[str]:
    if fault.befalls == "KILL":
        return []
    try:
        cases = list(ET.parse(path).iter("testcase"))
    except (OSError, ET.ParseError):
        return ["no JUnit report"]
    said, passed = "not in the report", 0
    for case in cases:
        name = f"{case.get('classname')} {case.get('name')}"
        bad = next(
            (child.tag for child in case if child.tag in ("failure", "error", "skipped")), "pass"
        )
        if "faulty" in name:
            said = f"the test: {bad}"
        elif "healthy" in name and bad == "pass":
            passed += 1
    return [said] if fault.befalls else [said, f"{passed} of {HEALTHY} pass"]


if __name__ == "__main__":
    sys.exit(main())
