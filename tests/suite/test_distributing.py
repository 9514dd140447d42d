"""The batch system of a run: made before anything runs, or refused in one line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from testloom.cluster import MultiprocessDistributor
from testloom.model.errors import UsageError
from testloom.suite.distributing import started

SITE = """
from testloom.cluster import MultiprocessDistributor

class Site:
    def here():
        return MultiprocessDistributor("site", 1)

def fails():
    raise OSError("no licence")

class Unwilling(MultiprocessDistributor):
    def __init__(self):
        super().__init__("unwilling")
    def start(self):
        raise ConnectionError("nobody is there")

number = int
"""


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "a_site.py").write_text(SITE)
    (tmp_path / "a_broken_site.py").write_text("import no_such_module_anywhere")
    monkeypatch.setattr(sys, "path", sys.path[:])
    return str(tmp_path)


def test_none_is_none(site: str) -> None:
    assert started(None, site) is None


def test_a_factory_may_be_in_the_project_and_in_a_class(site: str) -> None:
    made = started("a_site:Site.here", site)
    assert isinstance(made, MultiprocessDistributor)
    assert (made.cluster_name, made.started) == ("site", True)


@pytest.mark.parametrize(
    ("factory", "complaint"),
    [
        ("a_site:fail", "there is no 'fail'; did you mean 'fails'?"),
        ("a_site:fails", "cannot be made: OSError: no licence"),
        ("a_site:Unwilling", "cannot be started: ConnectionError: nobody is there"),
        (
            "a_site:number",
            "int has not all that a ClusterDistributor has; derive from testloom.cluster.",
        ),
        (
            "a_broken_site:x",
            "cannot be imported: ModuleNotFoundError: No module named 'no_such_module_anywhere'",
        ),
        ("testloom.cluster:ClusterDistributor", "cannot be made: TypeError: "),
    ],
)
def test_what_is_wrong_with_it_is_said_in_one_line(site: str, factory: str, complaint: str) -> None:
    with pytest.raises(UsageError) as raised:
        started(factory, site)
    assert str(raised.value).startswith(f"--distributor {factory}: {complaint}")
