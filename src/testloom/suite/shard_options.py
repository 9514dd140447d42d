"""The options about running on several machines, and about carrying a run from one to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testloom.suite.sharding import Shard
from testloom.suite.values import BadValueError

if TYPE_CHECKING:
    from testloom.suite.options import Group


def add_shard_options(group: Group) -> None:
    """Add the options to *group*."""
    share = "only the Kth of N shares of the tests, which take equally long"
    group.ours("--shard", "K/N", share, type=shard_text)
    times = "divide by the times of this run; it must be the same one for all shares"
    group.ours("--shard-times", "RUN", times)


def add_archive_option(group: Group) -> None:
    """Add the option to *group*."""
    whole = "write the run as one file, to be used elsewhere as RUN"
    group.ours("--archive", "FILE", whole, type=archive_text)


def shard_text(text: str) -> str:
    """Let a text pass that names a share."""
    try:
        return str(Shard.parse(text))
    except ValueError as error:
        raise BadValueError(str(error)) from error


def archive_text(text: str) -> str:
    """Let the name of a zip file pass: by that, archives are told from names of runs."""
    if not text.endswith(".zip"):
        raise BadValueError(f"{text!r} does not end in .zip; name a file that does")
    return text
