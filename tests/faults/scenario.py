"""Scenarios: what goes wrong in a run, and what its user is promised to see.

They are data, in ``scenarios/*.yaml``: the harness provokes them, and the manual's table of promises is made from
the same files, so that the two cannot differ.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

PLACE: Final = Path(__file__).parent / "scenarios"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One fault in one run of the command line."""

    row: str
    """What it is called: a letter for the kind of fault, and a number."""
    provoke: str
    """What goes wrong, in words."""
    expect: str
    """What the user sees, in words."""
    bound_s: float
    """From the fault to the end of the run on a machine that has time."""
    smoke: bool = False
    """Whether it is one of the likeliest, which ``./check`` tries."""
    tests: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Tests that are not healthy: Python code, or what their ``test.yaml`` holds."""
    called: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """What tests are called that do not have the names of their directories."""
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Other files, by their path below the suite."""
    environ: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Variables of the run besides those that are there."""
    disks: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Directories below the suite that are file systems in memory -> their options."""
    controls: int = 20
    """How many healthy tests run beside them."""
    args: Sequence[str] = ()
    prefix: Sequence[str] = ()
    """Words before the command, which start it in a way of their own."""
    needs: str = ""
    """A program without which it makes no sense, or a command that has to work, or ``namespaces``, or
    ``memory limits``."""
    memory_bytes: int | None = None
    """What the whole run may have."""
    suite: str = ""
    """Python code at the end of the suite's module."""
    steps: Sequence[Any] = ()
    """What is done to the run from outside, one after the other."""
    stdout: str = "pipe"
    """Where the run writes to: a ``pipe``, a ``full`` disk, nowhere (``closed``), or a reader that leaves after the
    ``head``."""
    sees: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """The results that are not those of healthy tests: name -> status and reason, a regular expression."""
    says: Sequence[str] = ()
    """Regular expressions that are found in what the run writes."""
    hides: Sequence[str] = ()
    """Regular expressions that are not."""
    keeps_secret: Sequence[str] = ()
    """Texts that are in no file of the run, either."""
    exit: int = 1
    """As `subprocess.Popen` tells it: -N for death by signal N."""
    runs: bool = True
    """Whether there is a run at all: not if the command line makes no sense."""
    keeps: bool = True
    """Whether there is a journal afterwards."""
    ends: bool = True
    """Whether the run gets to write its reports."""
    stops: bool = False
    """Whether healthy tests may be left out."""
    leaves: bool = False
    """Whether programs may stay, and the working directory, until the next run ends and removes them."""
    resumes: bool = False
    """Whether the run is then resumed, and has to pass."""
    unmet: str = ""
    """Why the promise is not kept yet."""

    @property
    def names(self) -> list[str]:
        """The names of the tests that are not healthy."""
        return [self.called.get(name, name) for name in self.tests]

    def __str__(self) -> str:
        return self.row


def scenarios() -> Iterator[Scenario]:
    """Yield all of them, in the order of their files."""
    for path in sorted(PLACE.glob("*.yaml")):
        for fields in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            yield Scenario(**fields)
