"""A history in one file: SQLite, with a rollback journal and short transactions.

The file may be anything by the time it is opened: half written, from a newer version, another
program's, or made to hurt.  What is damaged is a `HistoryDamagedError`, and the caller puts it
aside; what is not ours or newer than us is left as it is.  Nothing in the file is ever run: a
schema other than ours is not accepted, so there are no triggers, views or generated columns,
and long values are refused before they are read.

Imported only when there is a history to read or write: `sqlite3` takes as long to import as a
small test takes to run.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
import urllib.parse
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from testloom.journal import history_schema as schema
from testloom.journal.history_database import (
    Database,
    HistoryDamagedError,
    HistoryError,
    HistoryLockedError,
    Row,
    Values,
)
from testloom.processes.files import make_own

_LONGEST_VALUE: Final = 1_000_000
"""Bytes of a value or of a row: what is longer is not ours, and is not read."""
_SYNC: Final = "NORMAL"
"""A power cut may undo the last run, which can be imported again, but spoils nothing."""
_LOCKED: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_DAMAGED: Final = frozenset(
    {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH}
)
_SHORT_READ: Final = 522  # SQLITE_IOERR_SHORT_READ: the file ends too early


def open_file(path: str, *, create: bool, timeout_s: float) -> Database | None:
    """Open the history at *path*; make it if there is none and *create* is set, else None.

    *timeout_s* is how long to wait where others use it.

    Raises:
        HistoryError: it cannot be used; see the kinds of it.
    """
    try:
        size = _size(path)
        if size is None and not create:
            return None
        if size is None:
            make_own(os.path.dirname(path))
        return _Sqlite(path, timeout_s)
    except OSError as error:
        raise HistoryError(f"{path}: the history cannot be used: {error.strerror}") from error


def _size(path: str) -> int | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise HistoryError(f"{path}: is no file; name another place for the history")
    return found.st_size


class _Sqlite:
    """An open file."""

    def __init__(self, path: str, timeout_s: float) -> None:
        self._path = path
        self.is_new = False
        unclean = _has_content(f"{path}-journal") or _has_content(f"{path}-wal")
        with self._told():
            self._connection = sqlite3.connect(
                f"file:{urllib.parse.quote(os.fsencode(path))}?mode=rwc",
                uri=True,
                timeout=timeout_s,
                isolation_level=None,
            )
        try:
            with self._told():
                self._prepare(unclean=unclean)
        except BaseException:
            self._connection.close()
            raise

    def rows(self, query: str, values: Values | None = None) -> Sequence[Row]:
        with self._told():
            return self._connection.execute(query, values or {}).fetchall()

    def change_many(self, query: str, values: Iterable[Values]) -> None:
        with self._told():
            self._connection.executemany(query, values)

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        with self._told():
            self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            with self._told():
                self._connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        self._connection.close()

    # -- opening --------------------------------------------------------------------------------

    def _prepare(self, *, unclean: bool) -> None:
        run = self._connection.execute
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
        for setting in ("trusted_schema = OFF", "cell_size_check = ON", f"synchronous = {_SYNC}"):
            run(f"PRAGMA {setting}")
        if run("PRAGMA page_count").fetchone() == (0,):
            if os.path.getsize(self._path) and not unclean:
                raise HistoryDamagedError(f"{self._path}: the history is no database")
            self._make()
        version = self._version()
        if version < schema.VERSION:
            self._migrate(version)
        self._check_schema()
        (pages,), (page_bytes,) = (
            run(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size")
        )
        if pages * page_bytes > os.path.getsize(self._path) and not unclean:
            raise HistoryDamagedError(f"{self._path}: the history has lost its end")
        if unclean and run("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise HistoryDamagedError(f"{self._path}: the history is damaged")

    def _version(self) -> int:
        (application,) = self._connection.execute("PRAGMA application_id").fetchone()
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if application != schema.APPLICATION_ID:
            raise HistoryError(
                f"{self._path}: is a database of another program; name another place for the history"
            )
        if version > schema.VERSION:
            raise HistoryError(
                f"{self._path}: was written by a newer testloom (version {version} of the history,"
                f" this one knows {schema.VERSION}); it is left as it is"
            )
        if version < 1:
            raise HistoryDamagedError(f"{self._path}: the history has no version")
        return int(version)

    def _make(self) -> None:
        """Make the tables, unless somebody else has done so by now."""
        with self.changing():
            if self._connection.execute("SELECT 1 FROM sqlite_master").fetchone():
                return
            self._connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
            self._apply(0)
            self.is_new = True

    def _migrate(self, version: int) -> None:
        """Bring the tables up to date; what they were stays beside them."""
        with self.changing():
            if self._version() != version:
                return  # somebody else has done it
            shutil.copyfile(self._path, f"{self._path}.v{version}")
            self._apply(version)

    def _apply(self, version: int) -> None:
        for step in schema.STEPS[version:]:
            for statement in schema.statements(schema.SQLITE, step):
                self._connection.execute(statement)
        self._connection.execute(f"PRAGMA user_version = {schema.VERSION}")

    def _check_schema(self) -> None:
        if _schema(self._connection) != _own_schema():
            raise HistoryDamagedError(f"{self._path}: the history has other tables than ours")

    # -- errors ---------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Raise what goes wrong within the block as a `HistoryError`."""
        try:
            yield
        except sqlite3.Error as error:
            raise self._meaning(error) from error
        except UnicodeDecodeError as error:
            raise HistoryDamagedError(f"{self._path}: the history is damaged") from error

    def _meaning(self, error: sqlite3.Error) -> HistoryError:
        code = getattr(error, "sqlite_errorcode", None)
        if code is not None and code & 0xFF in _LOCKED:
            return HistoryLockedError(f"{self._path}: the history is in use by another process")
        # Without a code, Python itself could not make sense of what was read.
        if code is None or code & 0xFF in _DAMAGED or code == _SHORT_READ:
            return HistoryDamagedError(f"{self._path}: the history is damaged ({error})")
        return HistoryError(f"{self._path}: the history cannot be used: {error}")


def _has_content(path: str) -> bool:
    try:
        return os.path.getsize(path) > 0
    except OSError:
        return False


def _schema(connection: sqlite3.Connection) -> set[tuple[Any, ...]]:
    found = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master LIMIT 100")
    return set(found.fetchall())


def _own_schema() -> set[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for step in schema.STEPS:
            for statement in schema.statements(schema.SQLITE, step):
                connection.execute(statement)
        return _schema(connection)
