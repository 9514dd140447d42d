"""Runs ./run-tests and ./check for real, in copies of a checkout with blanks in its path.

The copies have a program of their own in place of testloom and need one tiny package, which lies in their
`wheelhouse/`: everything else is the real thing (sh, venv, pip with its hashes), without a network and in about a
second a set-up.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PYTHON = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
OPEN_TO_ALL = "/tmp"
NOBODY = 65534

PROGRAM = """
import json, os, sys, tiny

if sys.argv[1:] == ["wait"]:
    print("waiting", flush=True)
    sys.stdin.read()
print(json.dumps({
    "args": sys.argv[1:],
    "cwd": os.getcwd(),
    "root": os.environ["TESTLOOM_ROOT"],
    "source": __file__,
    "python path": os.environ.get("PYTHONPATH"),
    "program": os.environ.get("TESTLOOM_PROGRAM"),
}))
"""
# Stands for ruff, mypy and pytest: `FAIL=mypy` makes one of them fail.
TOOL = """
import os, pathlib, sys

name = pathlib.Path(__file__).stem
failing = name in os.environ.get("FAIL", "").split()
if name == "pytest":
    print(f"{'2 failed, ' if failing else ''}5 passed, 1 skipped, 3 xfailed in 0.25s")
sys.exit(failing)
"""
SUITE = 'print("7 passed, 0 failed, 2 skipped")\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A copy of what the scripts need, and a PATH with a Python in front."""

    root: Path
    bin: Path
    home: Path

    @property
    def state(self) -> Path:
        return self.root / ".run-tests"

    def environment(self, **more: str) -> dict[str, str]:
        return {"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(self.home), **more}

    def start(
        self,
        *command: str,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        user: int | None = None,
    ) -> subprocess.Popen[str]:
        """Start a script of the checkout (``run-tests``) in a session of its own."""
        return subprocess.Popen(
            [self.root / command[0], *command[1:]],
            cwd=cwd or self.root,
            env=self.environment() | (env or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )

    def run(
        self,
        *command: str,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        user: int | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a script of the checkout to its end."""
        with self.start(*command, cwd=cwd, env=env, user=user) as process:
            out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def tells(self, *args: str, env: dict[str, str] | None = None) -> dict[str, object]:
        """Return what the program says that it was given."""
        ran = self.run("run-tests", *args, env=env)
        assert ran.returncode == 0, ran.stderr
        told: dict[str, object] = json.loads(ran.stdout)
        return told

    def replace_python(self, script: str) -> None:
        """Put a shell script in the place of `python3`; it finds the real one in ``$real``."""
        python = self.bin / "python3"
        python.unlink(missing_ok=True)
        python.write_text(f"#!/bin/sh\nreal='{PYTHON}' me='{python}'\n{script}\n")
        python.chmod(0o755)

    def restore_python(self) -> None:
        python = self.bin / "python3"
        python.unlink(missing_ok=True)
        python.symlink_to(PYTHON)

    def change_lock(self) -> None:
        with (self.root / "requirements.lock").open("a") as file:
            file.write("# changed\n")

    def environments(self) -> list[str]:
        """Return what is in the state folder, without numbers."""
        return sorted(path.name.rstrip("-0123456789") for path in self.state.iterdir())


def can_fill_environments() -> bool:
    pip = subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True, check=False)
    return pip.returncode == 0 or find_spec("ensurepip") is not None


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not can_fill_environments(), reason=f"{PYTHON} has no pip"),
]


def make_checkout(folder: Path) -> Checkout:
    root = folder / "a check out"
    root.mkdir()
    for name in ("run-tests", "check"):
        shutil.copy(REPOSITORY / name, root)
    shutil.copytree(REPOSITORY / "tools", root / "tools")
    (root / "pyproject.toml").write_text(
        '[project]\nname = "testloom"\n[project.entry-points.group]\ndoor = "testloom:main"\n',
    )
    package = root / "src" / "testloom"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "_version.py").write_text('__version__ = "1.2"\n')
    (package / "__main__.py").write_text(PROGRAM)
    digest = make_wheel(root / "wheelhouse")
    for lock in ("requirements.lock", "requirements-dev.lock"):
        (root / lock).write_text(f"tiny==1.0 --hash=sha256:{digest}\n")
    checkout = Checkout(root=root, bin=folder / "bin", home=folder / "home")
    checkout.bin.mkdir()
    checkout.home.mkdir()
    checkout.restore_python()
    return checkout


def make_wheel(folder: Path) -> str:
    """Write the wheel of a package with one empty module; return its SHA-256."""
    folder.mkdir()
    info = "tiny-1.0.dist-info"
    files = {
        "tiny.py": "",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()},{len(text)}\n"
        for name, text in files.items()
        for digest in [hashlib.sha256(text.encode()).digest()]
    )
    wheel = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(zipfile.ZipInfo(name), text)  # without the time: always the same hash
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


@pytest.fixture
def fresh(tmp_path: Path) -> Checkout:
    """Give a checkout in which nothing was run yet."""
    return make_checkout(tmp_path)


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Give a checkout that was set up for `run-tests`; nobody changes it."""
    checkout = make_checkout(tmp_path_factory.mktemp("used"))
    ran = checkout.run("run-tests")
    assert ran.returncode == 0, ran.stderr
    return checkout


@pytest.fixture
def ready(used: Checkout, tmp_path: Path) -> Checkout:
    """Give a copy of a checkout that was set up."""
    checkout = make_checkout(tmp_path)
    shutil.copytree(used.state, checkout.state, symlinks=True)
    return checkout


def test_the_first_use_sets_up_and_passes_arguments_and_directory_on(
    fresh: Checkout, tmp_path: Path
) -> None:
    ran = fresh.run("run-tests", "-j2", "a b", "*", cwd=tmp_path, env={"PYTHONPATH": "/elsewhere"})

    assert ran.stderr == f"run-tests: setting up Python packages in {fresh.state}\n"
    assert json.loads(ran.stdout) == {
        "args": ["-j2", "a b", "*"],
        "cwd": str(tmp_path),
        "root": str(fresh.root),
        "source": str(fresh.root / "src" / "testloom" / "__main__.py"),
        "python path": None,
        "program": None,
    }
    assert fresh.environments() == [".gitignore", "env", "setup-run.log", "venv-run"]


def test_a_later_use_needs_no_python_but_its_own_and_says_nothing(ready: Checkout) -> None:
    programs = ready.root / "programs"
    programs.mkdir()
    for name in ("cat", "cksum"):
        (programs / name).symlink_to(shutil.which(name) or name)

    ran = ready.run("run-tests", env={"PATH": str(programs)})

    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_copied_checkout_runs_its_own_sources(ready: Checkout) -> None:
    assert ready.tells()["source"] == str(ready.root / "src" / "testloom" / "__main__.py")


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox sh"])
def test_any_posix_shell_will_do(ready: Checkout, shell: str) -> None:
    program, *args = shell.split()
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"no {program} here")
    command = [found, *args, str(ready.root / "run-tests"), "a b"]

    ran = subprocess.run(
        command, env=ready.environment(), capture_output=True, text=True, check=False
    )

    assert (ran.stderr, json.loads(ran.stdout)["args"]) == ("", ["a b"])


def test_a_link_to_the_script_leads_to_its_checkout(ready: Checkout) -> None:
    (ready.bin / "mine").symlink_to(ready.root / "run-tests")
    command = [str(ready.bin / "mine")]

    ran = subprocess.run(command, env=ready.environment(), capture_output=True, check=True)

    assert json.loads(ran.stdout)["root"] == str(ready.root)


@pytest.mark.parametrize(
    ("started_as", "named", "program"),
    [
        ("./run-tests", None, "./run-tests"),
        ("./run-tests", "make check", "make check"),
        ("./other name", None, None),  # the shell would take it apart
    ],
)
def test_commands_that_are_proposed_begin_as_this_one_did(
    ready: Checkout, started_as: str, named: str | None, program: str | None
) -> None:
    if started_as != "./run-tests":
        (ready.root / started_as).symlink_to("run-tests")
    environment = ready.environment() | ({"TESTLOOM_PROGRAM": named} if named else {})

    ran = subprocess.run(
        [started_as], cwd=ready.root, env=environment, capture_output=True, check=True
    )

    assert json.loads(ran.stdout)["program"] == program


def test_plugins_of_other_packages_find_our_entry_points(ready: Checkout) -> None:
    (ready.root / "src" / "testloom" / "__main__.py").write_text(
        "from importlib.metadata import entry_points, version\n"
        "[door] = entry_points(group='group')\n"
        "print(version('testloom'), door.name, door.value)\n",
    )

    assert ready.run("run-tests").stdout == "1.2 door testloom:main\n"


def test_uv_is_used_where_there_is_one(fresh: Checkout) -> None:
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("no uv here")
    (fresh.bin / "uv").symlink_to(uv)

    fresh.tells()

    assert "Creating virtual environment" in (fresh.state / "setup-run.log").read_text()


def test_of_two_first_uses_at_once_one_sets_up_and_both_run(fresh: Checkout) -> None:
    # The first says when it has the lock, and goes on when the second waits for it.
    fresh.replace_python("case $* in *-m\\ venv*) until [ -e ../seen ]; do sleep 0.1; done ;; esac")
    with open(fresh.bin / "python3", "a") as file:
        file.write('case $* in *_base_executable*) echo "$me" ;; *) exec "$real" "$@" ;; esac\n')
    seen = fresh.root.parent / "seen"
    with fresh.start("run-tests", "one") as one:
        assert one.stderr is not None
        assert one.stderr.readline().startswith("run-tests: setting up")
        with fresh.start("run-tests", "two") as two:
            assert two.stderr is not None
            waiting = two.stderr.readline()
            seen.touch()
            told = [json.loads(run.communicate(timeout=60)[0])["args"] for run in (one, two)]

    assert waiting == f"run-tests: waiting for process {one.pid}, which is setting up\n"
    assert told == [["one"], ["two"]]
    assert fresh.environments() == [".gitignore", "env", "setup-run.log", "venv-run"]


@pytest.fixture
def stuck(fresh: Checkout) -> Iterator[subprocess.Popen[str]]:
    """Give a first use that hangs in the middle of filling its environment."""
    os.mkfifo(fresh.root / "reached")
    fresh.replace_python(
        "case $* in\n"
        '*_base_executable*) echo "$me" ;;\n'
        "*--only-binary*) echo >reached; exec sleep 60 ;;\n"
        '*) exec "$real" "$@" ;;\n'
        "esac",
    )
    with fresh.start("run-tests") as process:
        (fresh.root / "reached").read_text()
        fresh.restore_python()
        yield process
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def test_a_killed_set_up_is_never_used_and_swept_away_by_the_next(
    fresh: Checkout, stuck: subprocess.Popen[str]
) -> None:
    stuck.kill()
    stuck.wait()
    left = fresh.environments()

    fresh.tells()

    assert left == [".gitignore", "env", "lock-run", "setup-run.log"]
    assert fresh.environments() == [".gitignore", "env", "setup-run.log", "venv-run"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_set_up_leaves_nothing_and_dies_by_the_signal(
    fresh: Checkout, stuck: subprocess.Popen[str], number: signal.Signals
) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("ignored from outside, as it is in a background job")

    os.killpg(stuck.pid, number)

    assert stuck.wait() == -number
    assert fresh.environments() == [".gitignore", "setup-run.log"]


def test_a_changed_lock_makes_a_new_environment_and_spares_one_that_is_in_use(
    ready: Checkout,
) -> None:
    with ready.start("run-tests", "wait") as running:
        assert running.stdout is not None
        running.stdout.readline()
        ready.change_lock()
        ready.tells()
        during = ready.environments()
        told = json.loads(running.communicate(timeout=60)[0])
    ready.change_lock()
    ready.tells()

    assert told["args"] == ["wait"]
    assert during == [".gitignore", "env", "env", "setup-run.log", "venv-run", "venv-run"]
    assert ready.environments() == [".gitignore", "env", "setup-run.log", "venv-run"]


def test_an_environment_whose_python_is_gone_is_made_anew(ready: Checkout) -> None:
    [python] = ready.state.glob("venv-run-*/bin/python")
    python.unlink()
    python.symlink_to("/nowhere/python3.11")

    ready.tells()

    assert ready.environments() == [".gitignore", "env", "setup-run.log", "venv-run"]


def test_without_a_network_it_says_what_failed_and_what_helps(fresh: Checkout) -> None:
    shutil.rmtree(fresh.root / "wheelhouse")

    ran = fresh.run("run-tests", env={"PIP_INDEX_URL": "http://127.0.0.1:9"})

    assert ran.returncode == 70
    assert "No matching distribution found for tiny==1.0" in ran.stderr
    assert "pip download --only-binary :all: -r requirements.lock -d wheelhouse" in ran.stderr
    assert fresh.environments() == [".gitignore", "setup-run.log"]


def test_a_package_that_is_not_the_locked_one_is_refused(fresh: Checkout) -> None:
    (fresh.root / "requirements.lock").write_text(f"tiny==1.0 --hash=sha256:{'0' * 64}\n")

    ran = fresh.run("run-tests")

    assert ran.returncode == 70
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in ran.stderr


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("Python 3.9.2", "run-tests: needs Python 3.11 or later, found Python 3.9.2; install one"),
        ("", "run-tests: needs Python 3.11 or later, found none; install one"),
    ],
)
def test_a_python_that_is_too_old_or_missing_is_named(
    fresh: Checkout, version: str, message: str
) -> None:
    for name in ("cat", "cksum", "mkdir"):
        (fresh.bin / name).symlink_to(shutil.which(name) or name)
    fresh.replace_python(f"[ '{version}' ] && [ \"$*\" = --version ] && echo {version}")

    ran = fresh.run("run-tests", env={"PATH": str(fresh.bin)})

    assert ran.returncode == 70
    assert ran.stderr.startswith(message)
    assert "apt-get install python3 python3-venv" in ran.stderr


def test_a_named_python_is_not_replaced_by_another(fresh: Checkout) -> None:
    ran = fresh.run("run-tests", env={"PYTHON": "/nowhere/python3.12"})

    assert ran.returncode == 70
    assert ran.stderr == (
        "run-tests: PYTHON=/nowhere/python3.12 is not a Python that runs; "
        "needs Python 3.11 or later\n"
    )


WITHOUT_PIP = """case $* in
*_base_executable*) echo "$me" ;;
*-m\\ pip*) echo 'No module named pip'; exit 1 ;;
{more}
*) exec "$real" "$@" ;;
esac"""


def test_a_python_without_pip_brings_its_own(fresh: Checkout) -> None:
    if find_spec("ensurepip") is None:
        pytest.skip("no ensurepip here")
    fresh.replace_python(WITHOUT_PIP.format(more=""))

    fresh.tells()


def test_a_python_without_pip_and_ensurepip_names_the_package_to_install(fresh: Checkout) -> None:
    more = '*--without-pip*) exec "$real" "$@" ;;\n*-m\\ venv*) exit 1 ;;'
    fresh.replace_python(WITHOUT_PIP.format(more=more))

    ran = fresh.run("run-tests")

    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert ran.returncode == 70
    assert f"apt-get install python{version}-venv" in ran.stderr


def test_a_checkout_that_may_only_be_read_is_set_up_in_the_cache() -> None:
    # In a place that others may enter, as nobody, when we may write everywhere.  Neither pytest's
    # folder is one, nor that for temporary files that `./check` makes.
    user = NOBODY if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(dir=OPEN_TO_ALL) as folder:
        checkout = make_checkout(Path(folder))
        Path(folder).chmod(0o755)
        if user is not None:
            os.chown(checkout.home, user, user)
        if not can_run_python(user):
            pytest.skip(f"{PYTHON} is closed to others")
        checkout.root.chmod(0o555)
        cache = {"XDG_CACHE_HOME": str(checkout.home)}

        runs = [checkout.run("run-tests", env=cache, user=user) for _ in range(2)]
        made = [path.parent.parent for path in checkout.home.glob("run-tests/*/venv-run-*")]
        in_checkout = checkout.state.exists()
        checkout.root.chmod(0o755)

    assert [run.returncode for run in runs] == [0, 0], runs
    assert runs[1].stderr == ""
    assert made == [checkout.home / "run-tests"]
    assert not in_checkout


def can_run_python(user: int | None) -> bool:
    try:
        subprocess.run([PYTHON, "-c", ""], user=user, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Give a checkout with stand-ins for the tools, in which `check` was run once."""
    checkout = make_checkout(tmp_path_factory.mktemp("checked"))
    for tool in ("ruff", "mypy", "pytest"):
        (checkout.root / "src" / f"{tool}.py").write_text(TOOL)
    (checkout.root / "src" / "testloom" / "__main__.py").write_text(SUITE)
    ran = checkout.run("check")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return checkout


def test_the_last_line_of_a_check_sums_up_all_steps(checked: Checkout) -> None:
    ran = checked.run("check")

    # lint, format and types count as one each
    assert ran.stdout.splitlines()[-1] == "15 passed, 0 failed, 3 skipped"
    assert ran.returncode == 0


def test_every_step_of_a_check_runs_also_after_one_has_failed(checked: Checkout) -> None:
    ran = checked.run("check", "-q", env={"FAIL": "mypy pytest"})

    # The times are those of this machine.
    lines = [
        line.rpartition(",")[0] if line[:2] == "==" else line for line in ran.stdout.splitlines()
    ]
    assert lines == [
        "== lint: ok",
        "== format: ok",
        "== types: FAILED (exit code 1)",
        "2 failed, 5 passed, 1 skipped, 3 xfailed in 0.25s",
        "== tests: FAILED (exit code 1)",
        "== suite: ok",
        "14 passed, 3 failed, 3 skipped",
    ]
    assert ran.returncode == 1


def test_one_step_of_a_check_can_be_had_alone(checked: Checkout) -> None:
    assert checked.run("check", "-q", "tests").stdout.splitlines()[-1] == (
        "5 passed, 0 failed, 1 skipped"
    )


def test_an_unknown_step_of_a_check_is_refused(checked: Checkout) -> None:
    ran = checked.run("check", "test")

    assert (ran.returncode, ran.stderr) == (
        4,
        "check: no step is called 'test'; steps: lint format types tests suite\n",
    )


def test_the_ci_job_goes_on_when_programs_cannot_be_installed(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    programs = {"apt-get": "#!/bin/sh\nexit 100\n", "check": '#!/bin/sh\necho "checked $*"\n'}
    (tmp_path / ".ci").mkdir()
    shutil.copy(REPOSITORY / ".ci" / "run", tmp_path / ".ci")
    for name, text in programs.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    for name in ("dirname", "timeout"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)

    ran = subprocess.run(
        [bash, tmp_path / ".ci" / "run", "-q"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stdout) == (0, "checked -q\n")
