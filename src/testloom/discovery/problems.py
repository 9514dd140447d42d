"""What can be wrong with a file that defines tests, told as ``path:line:col: what; what to do``.

A problem knows the absolute path of its file; `told` shows it relative to the suite's root, as
people know it.
"""

from __future__ import annotations

import os

from testloom.model.errors import ProbingError
from testloom.model.names import shown_line


class FileProblem(ProbingError):
    """A file that defines a test cannot be used as it is.

    *what* says what is wrong and what to do about it; *line* and *column* are counted from 1,
    0 if unknown.
    """

    def __init__(self, path: str, what: str, line: int = 0, column: int = 0) -> None:
        super().__init__(path, what, line, column)
        self.path = path
        self.what = what
        self.line = line
        self.column = column

    def told(self, root: str = "") -> str:
        """Return the problem as one line, with the path relative to *root* if it is below it."""
        where = relative(self.path, root)
        if self.line:
            where += f":{self.line}"
            if self.column:
                where += f":{self.column}"
        return shown_line(f"{where}: {self.what}")

    def __str__(self) -> str:
        return self.told()


class SyntaxProblem(FileProblem):
    """The file was read, and what it says makes no sense."""


class TestFileProblem(FileProblem):
    """A problem under the heading that e3-testsuite gives it.

    Its text is *heading*, a colon, and the place and the details.
    """

    __test__ = False

    def __init__(self, heading: str, problem: FileProblem, root: str) -> None:
        super().__init__(problem.path, problem.what, problem.line, problem.column)
        self.heading = heading
        self.root = root

    def __str__(self) -> str:
        return f"{self.heading}: {self.told(self.root)}"


def relative(path: str, root: str) -> str:
    """Return *path* relative to the directory *root* if it is below it, else *path*."""
    base = root.rstrip(os.sep) + os.sep
    return path[len(base) :] if root and path.startswith(base) else path


def kind_of(value: object) -> str:
    """Return what people call a value of this kind: ``a list``, ``a number`` and so on."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"the truth value {str(value).lower()}"
        case int() | float():
            return f"the number {value}"
        case str():
            return "a text"
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            return f"a value of type {type(value).__name__}"
