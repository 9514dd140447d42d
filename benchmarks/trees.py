"""The work that is measured: a tree of N tests, each of which is one `cat input.txt`.

A test is a directory of three files: `test.yaml`, `input.txt` and `test.out`, which holds what
`cat` must print.  A hundred of them share a directory.  Each has a text of its own, so that a
runner which compares the wrong files is found out.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

GROUP = 100
LINES = 12


@dataclass(frozen=True, slots=True)
class Test:
    """One test of the tree."""

    name: str
    directory: Path

    @property
    def input(self) -> Path:
        """What `cat` is given."""
        return self.directory / "input.txt"

    @property
    def expected(self) -> Path:
        """What it must print."""
        return self.directory / "test.out"


@dataclass(frozen=True, slots=True)
class Tree:
    """*count* tests below *root*; they are there only after `grow`."""

    root: Path
    count: int

    @property
    def place(self) -> Path:
        """The directory the runners are started in, where their own files are."""
        return self.root.parent

    def __iter__(self) -> Iterator[Test]:
        for number in range(self.count):
            name = f"t{number:06}"
            yield Test(name, self.root / f"g{number // GROUP:04}" / name)


def text_of(test: Test) -> str:
    """Return the text *test* is about: a dozen lines found in no other test."""
    return "".join(f"{test.name}: line {number} of {LINES}\n" for number in range(1, LINES + 1))


def grow(tree: Tree, *, more: Callable[[Test], dict[str, str]] | None = None) -> Tree:
    """Write *tree* to disk, in place of what was there, and return it.

    *more* gives the files (name to text) that a runner needs in a test's directory besides the
    input and the expected output; without it, that is the `test.yaml` of a data-directory test.
    """
    shutil.rmtree(tree.root, ignore_errors=True)
    for test in tree:
        text = text_of(test)
        files = {"input.txt": text, "test.out": text}
        files |= more(test) if more else {"test.yaml": "driver: cat\n"}
        test.directory.mkdir(parents=True)
        for name, content in files.items():
            (test.directory / name).write_text(content)
    return tree
