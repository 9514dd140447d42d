"""A history that a team shares: PostgreSQL, in tables of a schema ``testloom``.

The only module that imports psycopg, which is installed with ``testloom[postgres]``.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import psycopg
from psycopg import errors

from testloom.journal import history_schema as schema
from testloom.journal.history_database import (
    Database,
    HistoryError,
    HistoryLockedError,
    Row,
    Values,
)

_PLACE: Final = re.compile(r":([a-z_]+)")
_MAKING: Final = 0x7E571003
"""The lock held by whoever makes or changes the tables."""


def open_database(url: str, *, create: bool, timeout_s: float) -> Database | None:
    """Open the history in the database at *url*; make it if there is none and *create* is set.

    *timeout_s* is how long to wait: to get there, and where others use what is needed.

    Raises:
        HistoryError: it cannot be reached or used.
    """
    opened = _Postgres(url, timeout_s)
    try:
        if not opened.prepare(create=create):
            opened.close()
            return None
    except BaseException:
        opened.close()
        raise
    return opened


def shown_url(url: str) -> str:
    """Return *url* as it may be shown: without the password."""
    url = re.sub(r"(://[^/@:]*):[^@]*@", r"\1@", url)
    return re.sub(r"(password=)[^&\s]*", r"\1...", url)


class _Postgres:
    """An open connection."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._where = shown_url(url)
        self.is_new = False
        wait_ms = max(1, int(timeout_s * 1000))
        with self._told():
            self._connection = psycopg.connect(
                url,
                autocommit=True,
                connect_timeout=max(2, int(timeout_s)),  # it takes less for none at all
                application_name="testloom",
                options=f"-c lock_timeout={wait_ms} -c statement_timeout={30 * wait_ms}"
                " -c search_path=testloom -c client_min_messages=warning",
            )

    def prepare(self, *, create: bool) -> bool:
        """See that the tables are there; tell whether they are."""
        version = self._version()
        if version == schema.VERSION:
            return True
        if version > schema.VERSION:
            raise HistoryError(
                f"{self._where}: was written by a newer testloom (version {version} of the history,"
                f" this one knows {schema.VERSION}); it is left as it is"
            )
        if not version and not create:
            return False
        with self.changing():
            self.rows(f"SELECT pg_advisory_xact_lock({_MAKING})")
            self._make(self._version())
        return True

    def rows(self, query: str, values: Values | None = None) -> Sequence[Row]:
        with self._told():
            found = self._connection.execute(_translated(query), values or {})
            return found.fetchall() if found.description else ()

    def change_many(self, query: str, values: Iterable[Values]) -> None:
        with self._told(), self._connection.cursor() as cursor:
            cursor.executemany(_translated(query), values)

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        with self._told(), self._connection.transaction():
            yield

    def close(self) -> None:
        self._connection.close()

    def _version(self) -> int:
        """Return the version of the tables; 0 if there are none."""
        # Not by to_regclass, which does not see what others have made in the meantime.
        made = "SELECT 1 FROM pg_tables WHERE schemaname = 'testloom' AND tablename = 'version'"
        if not self.rows(made):
            return 0
        found = self.rows("SELECT max(number) FROM version")
        return int(found[0][0] or 0)

    def _make(self, version: int) -> None:
        """Make the tables, or bring them up to date, unless somebody has done so by now."""
        if version >= schema.VERSION:
            return
        if version == 0:
            self.rows("CREATE SCHEMA IF NOT EXISTS testloom")
            self.rows("CREATE TABLE version (number BIGINT PRIMARY KEY)")
            self.is_new = True
        for step in schema.STEPS[version:]:
            for statement in schema.statements(schema.POSTGRES, step):
                self.rows(statement)
        self.rows("INSERT INTO version VALUES (:version)", {"version": schema.VERSION})

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Raise what goes wrong within the block as a `HistoryError`."""
        try:
            yield
        except (errors.LockNotAvailable, errors.QueryCanceled) as error:
            raise HistoryLockedError(f"{self._where}: the history is in use by others") from error
        except psycopg.Error as error:
            why = " ".join(str(error).split()) or type(error).__name__
            raise HistoryError(f"{self._where}: the history cannot be used: {why}") from error


def _translated(query: str) -> Any:
    """Return *query* with its values marked as psycopg wants it."""
    return _PLACE.sub(r"%(\1)s", query.replace("%", "%%"))  # of constants in this package
