"""The tables of a history, the same for each kind of database, and how they came to be so.

A history is derived from journals: whatever is wrong with one, it can be made again.  Its
version is the number of `STEPS` that made it.  A change of the tables is one more step, never
a change of a step that has been released; tests keep a history of each version.

::

    runs      one row a run
    tests     names, each once
    results   one row a run and name, stored in the order of runs: adding a run touches the end
              of the table only, and forgetting the oldest its beginning
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

APPLICATION_ID: Final = 0x7E571003
"""Stands in the header of an SQLite file of ours, so that no other is taken for one."""


class Dialect(msgspec.Struct, frozen=True):
    """Where databases differ in how tables are made; there is nothing else."""

    row_id: str
    """The type of a column that numbers the rows of its table."""
    clustered: str
    """Behind a table that is stored in the order of its primary key."""


SQLITE: Final = Dialect("INTEGER PRIMARY KEY", "WITHOUT ROWID")
POSTGRES: Final = Dialect("BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "")

STEPS: Final[Sequence[Sequence[str]]] = (
    (
        """
        CREATE TABLE runs (
            id {row_id},
            run_id TEXT NOT NULL,
            suite TEXT NOT NULL,
            started_at DOUBLE PRECISION NOT NULL,
            duration_s DOUBLE PRECISION NOT NULL,
            commit_id TEXT NOT NULL,
            branch TEXT NOT NULL,
            host TEXT NOT NULL,
            platform TEXT NOT NULL,
            jobs BIGINT NOT NULL,
            selected BIGINT NOT NULL,
            passed BIGINT NOT NULL,
            failed BIGINT NOT NULL,
            skipped BIGINT NOT NULL,
            stopped TEXT NOT NULL,
            exit_code BIGINT,
            UNIQUE (suite, run_id, host)
        )
        """,
        "CREATE INDEX runs_in_time ON runs (suite, started_at)",
        """
        CREATE TABLE tests (
            id {row_id},
            name TEXT NOT NULL UNIQUE
        )
        """,
        """
        CREATE TABLE results (
            run BIGINT NOT NULL,
            test BIGINT NOT NULL,
            parent BIGINT,
            status BIGINT NOT NULL,
            reason TEXT NOT NULL,
            time_s DOUBLE PRECISION,
            cpu_s DOUBLE PRECISION,
            memory_bytes BIGINT NOT NULL,
            slot BIGINT NOT NULL,
            flaky TEXT NOT NULL,
            PRIMARY KEY (run, test)
        ) {clustered}
        """,
        "CREATE INDEX results_of_parent ON results (parent) WHERE parent IS NOT NULL",
    ),
)
VERSION: Final = len(STEPS)


def statements(dialect: Dialect, step: Sequence[str]) -> list[str]:
    """Return the statements of a step for one kind of database."""
    return [
        " ".join(text.split()).format(row_id=dialect.row_id, clustered=dialect.clustered).strip()
        for text in step
    ]
