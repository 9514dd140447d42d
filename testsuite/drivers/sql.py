"""Tests that are one file each: a script for SQLite, with the rows it gives written in it.

Shows: a finder of its own that makes several tests of one directory; a driver that runs no
program and compares in Python; tags, and tests that are skipped, by what a file says.

::

    -- tags: joins
    -- needs: 3.39
    select 1 + 1, 'two';
    --> 2|two
    select no_such_column;
    --! no such column: no_such_column
"""

from __future__ import annotations

import os
import sqlite3
from typing import Any

from testloom.discovery import ParsedTest, TestFinder
from testloom.drivers import FailureReason, Log, TestDriver, TestStatus

SUFFIX = ".sql"


class SqlFinder(TestFinder):
    """Takes each ``*.sql`` of a directory for a test, named after the file."""

    test_dedicated_directory = False

    def probe(
        self, testsuite: Any, dirpath: str, dirnames: list[str], filenames: list[str]
    ) -> list[ParsedTest] | None:
        """Return the tests; None if there is no such file or it belongs to a ``test.yaml``."""
        scripts = [name for name in filenames if name.endswith(SUFFIX)]
        if not scripts or "test.yaml" in filenames:
            return None
        return [self._test(testsuite, dirpath, name) for name in scripts]

    def _test(self, testsuite: Any, dirpath: str, name: str) -> ParsedTest:
        path = os.path.join(dirpath, name)
        stem = name.removesuffix(SUFFIX)
        with open(path, encoding="utf-8") as file:
            comments = [line[3:].partition(":") for line in file if line.startswith("-- ")]
        said = {key: value.strip() for key, colon, value in comments if colon}
        return ParsedTest(
            test_name=f"{testsuite.test_name(dirpath)}/{stem}",
            driver_cls=SqlDriver,
            test_env={"script": name, "needs": said.get("needs", "0")},
            test_dir=dirpath,
            test_matcher=stem,
            source=path,
            tags=tuple(said.get("tags", "").split()),
        )


class SqlDriver(TestDriver):
    """Runs the statements of ``script`` on an empty database in memory."""

    def add_test(self, dag: Any) -> None:
        """One fragment is enough."""
        self.add_fragment(dag, "run")

    def run(self, prev: dict[str, Any], slot: int) -> None:
        """Run each statement, and write the script anew with the rows that there are."""
        needs = self.test_env["needs"]
        if sqlite3.sqlite_version_info < tuple(map(int, needs.split("."))):
            why = f"needs SQLite {needs}, this is {sqlite3.sqlite_version}"
            self.result.set_status(TestStatus.SKIP, why)
            self.push_result()
            return
        with open(self.test_dir(self.test_env["script"]), encoding="utf-8") as file:
            script = file.read()
        actual = rewritten(script)
        if actual == script:
            self.result.set_status(TestStatus.PASS)
        else:
            self.result.set_status(TestStatus.FAIL, "other rows than expected")
            self.result.failure_reasons.add(FailureReason.DIFF)
            self.result.log = Log(f"The script, with the rows that it gives:\n\n{actual}")
        self.push_result()


def rewritten(script: str) -> str:
    """Return *script* with what its statements give in place of what it says they do."""
    lines: list[str] = []
    statement: list[str] = []
    database = sqlite3.connect(":memory:", isolation_level=None)
    for line in script.splitlines(keepends=True):
        if line.startswith(("-->", "--!")):
            continue
        lines.append(line)
        if line.startswith("--") and not statement:
            continue
        statement.append(line)
        if sqlite3.complete_statement("".join(statement)):
            lines += outcome(database, "".join(statement))
            statement.clear()
    database.close()
    return "".join(lines)


def outcome(database: sqlite3.Connection, statement: str) -> list[str]:
    """Return what *statement* gives as the lines that are written behind it."""
    try:
        rows = database.execute(statement).fetchall()
    except sqlite3.Error as error:
        return [f"--! {error}\n"]
    return [f"--> {'|'.join(map(shown, row))}\n" for row in rows]


def shown(value: object) -> str:
    """Return *value* as SQL would write it, texts without quotes."""
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    return "null" if value is None else str(value)
