"""``testloom worker-node``: what a batch system runs on a node."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from testloom._version import __version__
from testloom.cli.worker_node import worker_node
from testloom.cluster.distributor import default_entry_point
from testloom.workers.exchange import Exchange, NodeOrder, NodeOutcome, NodeSetup
from testloom.workers.fresh import Setup, recipe_of
from testloom.workers.messages import Order

JOB = ["worker_node_job", "--task_instance_id", "7"]


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["worker_node_job"], "the following arguments are required: --task_instance_id"),
        (
            [*JOB[:2], "x", "--exchange", "/x"],
            "argument --task_instance_id: invalid int value: 'x'",
        ),
        ([*JOB, "--exchange", "/x", "--odd"], "unrecognized arguments: --odd"),
        (["--"], "no command is named"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_199(
    args: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = worker_node(args)
    except SystemExit as end:
        code = int(end.code or 0)
    said = capsys.readouterr().err
    assert code == 199
    assert said.startswith(f"testloom worker-node: {complaint}")
    assert said.count("\n") == 1


def test_alone_it_shows_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert worker_node(["--help"]) == 0
    assert worker_node([]) == 199
    assert capsys.readouterr().out.count("usage: testloom worker-node worker_node_job") == 2


def test_a_node_with_another_version_is_198(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = [*JOB, "--expected_jobmon_version", "0.0.0", "--exchange", str(tmp_path)]
    assert worker_node(args) == 198
    assert capsys.readouterr().err == (
        f"testloom worker-node: this node has testloom {__version__}, the run 0.0.0; "
        "install the same on both\n"
    )


def test_a_node_that_does_not_see_the_files_is_198(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert worker_node([*JOB, "--exchange", str(tmp_path)]) == 198
    assert capsys.readouterr().err == (
        f"testloom worker-node: {tmp_path}/7.order: No such file or directory; "
        "the run directory has to be on a file system that all nodes share\n"
    )


def test_a_program_that_is_not_there_is_198(capsys: pytest.CaptureFixture[str]) -> None:
    assert worker_node(["/no/such/program"]) == 198
    said = capsys.readouterr().err
    assert said == "testloom worker-node: /no/such/program: No such file or directory\n"


def node(command: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload,no-any-return]  # options of the caller
        ["sh", "-c", f"{default_entry_point()} {command}"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        **options,
    )


@pytest.mark.slow
def test_any_other_command_is_what_it_becomes() -> None:
    ran = node("sh -c 'echo \"$0 $1\"; grep SigIgn /proc/$$/status; exit 7' a 'b c'")
    assert (ran.returncode, ran.stdout, ran.stderr) == (7, "a b c\nSigIgn:\t0000000000000000\n", "")
    assert node("-- printf %s --help").stdout == "--help"


DRIVER = """
import os
from testloom.model.result import TestResult
class Driver:
    on_push = None
    def __init__(self, env, test_env):
        self.env = env
    def run(self, previous, slot):
        print(os.environ["WORD"], os.getcwd(), slot, previous, self.env.word)
        return "value"
"""


@pytest.mark.slow
def test_a_node_runs_the_fragment_that_was_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pickle

    from testloom.model.fragment import FragmentData

    (tmp_path / "a_driver.py").write_text(DRIVER)
    monkeypatch.syspath_prepend(str(tmp_path))
    import a_driver  # type: ignore[import-not-found]  # written just now

    driver = a_driver.Driver(None, {})
    driver.test_env = {}
    recipe = recipe_of(FragmentData("t.run", driver, "run", None))
    exchange = Exchange(str(tmp_path / "exchange"))
    setup = Setup(
        [os.fsencode(place) for place in sys.path], b"", "", {"word": pickle.dumps("word")}
    )
    exchange.make(NodeSetup(setup, os.fsencode(tmp_path), {b"WORD": b"here"}))
    order = Order(0, 7, wanted=True, values={b"before": pickle.dumps(1)}, recipe=recipe)
    exchange.give(7, NodeOrder("t.run", "run", 3, order, 20.0))
    command = f"worker_node_job --task_instance_id 7 --exchange '{exchange.path}'"

    ran = node(command, cwd="/")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    outcome = exchange.outcome(7)
    assert isinstance(outcome, NodeOutcome)
    assert outcome.end == "Returned"
    assert outcome.output.decode() == f"here {tmp_path} 3 {{'before': 1}} word\n"
    assert pickle.loads(outcome.value or b"") == "value"
