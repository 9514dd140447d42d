"""Runs testloom itself on another tree of tests and compares all that it says.

Shows: a driver that runs several commands; files that ``test.yaml`` describes because no
repository can hold them; a finder that keeps others out of a directory.

The tree is ``tree/`` beside ``test.yaml``, or ``testsuite/trees/NAME``, so that several tests
can share one.  What is run sees nothing of the environment of the outer run but ``PATH`` and where
Python finds its modules.
"""

from __future__ import annotations

import base64
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

import testloom
from drivers.masks import MASKS
from testloom.discovery import ParsedTest, TestFinder
from testloom.drivers import DiffTestDriver, OutputRefiner, PatternSubstitute, ReplacePath

TREES = frozenset(("tree", "trees"))
PACKAGES = os.path.dirname(os.path.dirname(os.path.abspath(testloom.__file__)))
COMMANDS = {
    "testloom": '#!/bin/sh\nexec {python} -P -m testloom "$@"\n',
    "python": '#!/bin/sh\nexec {python} -P "$@"\n',
}


class InnerTrees(TestFinder):
    """Keeps trees of inner runs to itself: whatever is in them are not tests of this suite."""

    def probe(
        self, testsuite: Any, dirpath: str, dirnames: list[str], filenames: list[str]
    ) -> list[ParsedTest] | None:
        """Return no tests for directories called ``tree`` or ``trees`` and all below them."""
        place = os.path.relpath(dirpath, testsuite.test_dir)
        return None if TREES.isdisjoint(place.split(os.sep)) else []


class InnerRunDriver(DiffTestDriver):
    """Runs commands in a copy of a tree; ``test.out`` has all they write and how they end.

    Keys of ``test.yaml``, besides those of `DiffTestDriver`:

    - ``run``: command lines for the shell, in which ``testloom`` is the one that runs this, and
      ``python`` its Python
    - ``tree``: name of a tree in ``testsuite/trees``; ``tree/`` of the test if missing
    - ``files``: more files for the tree, by their names; see `make_file`
    - ``bare``: true for a tree without configuration
    - ``env``: variables for the commands
    - ``hide``: regular expressions, matches of which are left out before comparing
    """

    @property
    def output_refiners(self) -> Sequence[OutputRefiner[Any]]:
        """Times, numbers of processes and names of directories are not the same twice."""
        hidden = [PatternSubstitute(f"(?m){it}", "") for it in self.test_env.get("hide", [])]
        here = ReplacePath[str](self.working_dir(), "<work>")
        return [*super().output_refiners, here, *hidden, *MASKS]

    def set_up(self) -> None:
        """Make the tree, and the commands."""
        named = self.test_env.get("tree")
        if named is not None:
            trees = os.path.join(self.env.test_dir, "trees")
            shutil.copytree(os.path.join(trees, named), self.working_dir("tree"), symlinks=True)
        # A configuration of its own keeps the run from finding one further up.
        guard = {} if self.test_env.get("bare") else {"testloom.toml": None}
        for name, content in {**guard, **self.test_env.get("files", {})}.items():
            path = os.path.join(os.fsencode(self.working_dir("tree")), unquote_to_bytes(name))
            make_file(path, content)
        for name in ("bin", "tmp"):
            os.makedirs(self.working_dir(name))
        for name, script in COMMANDS.items():
            path = self.working_dir("bin", name)
            with open(path, "w", encoding="utf-8") as file:
                file.write(script.format(python=shlex.quote(sys.executable)))
            os.chmod(path, 0o755)

    def run(self) -> None:
        """Run each command, whatever came of the one before."""
        environment = {
            "PATH": f"{self.working_dir('bin')}:{os.environ.get('PATH', os.defpath)}",
            "HOME": self.working_dir("tmp"),
            "TMPDIR": self.working_dir("tmp"),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            # Runs in one tree do not depend on each other, unless that is what is tested.
            "TESTLOOM_NO_HISTORY": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, (PACKAGES, os.environ.get("PYTHONPATH")))),
            **self.test_env.get("env", {}),
        }
        for command in self.test_env["run"]:
            self.output += f"$ {command.strip()}\n"
            args = ["sh", "-c", command]
            ended = self.shell(
                args, cwd=self.working_dir("tree"), env=environment, catch_error=False
            )
            if ended.status:
                self.output += f"[exit status {ended.status}]\n"


def make_file(path: bytes, content: Any) -> None:
    """Make what *content* describes at *path*, and the directories above.

    This is a text; ``{link: TARGET}``; ``{fifo: true}``; ``{base64: TEXT}``; or ``{repeat: TEXT,
    times: N}``.  None is an empty file, and leaves one that is there as it is.
    """
    os.makedirs(os.path.dirname(path), exist_ok=True)
    match content:
        case {"link": target}:
            os.symlink(target, path)
        case {"fifo": True}:
            os.mkfifo(path)
        case {"base64": text}:
            write(path, base64.b64decode(text))
        case {"repeat": text, "times": times}:
            write(path, text.encode() * times)
        case str():
            write(path, content.encode())
        case None:
            write(path, b"", mode="ab")
        case _:
            raise ValueError(f"files: {path!r} cannot be made of {content!r}")


def write(path: bytes, data: bytes, mode: str = "wb") -> None:
    """Write *data* to the file *path*."""
    with open(path, mode) as file:
        file.write(data)
