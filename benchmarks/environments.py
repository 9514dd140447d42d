"""Where the runners come from: the PATH, the package index through pip, or this repository.

Each set of packages gets a virtual environment of its own below one cache directory, because a
plugin that comes along with one runner would be loaded, and paid for, by another.  An environment
is kept from run to run; it counts as made once the file that names its packages is in it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import TypeAlias

REPOSITORY = Path(__file__).resolve().parent.parent


class Missing(Exception):
    """A runner is not on this machine and can't be installed."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A program that is on the PATH or is not to be had."""

    name: str


@dataclass(frozen=True, slots=True)
class Packaged:
    """A program that comes with packages of the index."""

    name: str
    requirements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OwnPython:
    """An interpreter that imports testloom from this repository."""


Tool: TypeAlias = Installed | Packaged | OwnPython


@dataclass(frozen=True, slots=True)
class Environments:
    """The virtual environments below *cache*."""

    cache: Path

    def path_of(self, tool: Tool) -> Path:
        """Return the path of *tool*, which is installed where that can be done.

        Raises:
            Missing: it is not here.
        """
        match tool:
            case Installed(name):
                return on_path(name)
            case Packaged(name, requirements):
                return self._made(requirements) / "bin" / name
            case OwnPython():
                if util.find_spec("testloom") and util.find_spec("e3"):
                    return Path(sys.executable)
                return self._made(("--editable", str(REPOSITORY))) / "bin" / "python"

    def _made(self, requirements: tuple[str, ...]) -> Path:
        words = [Path(word).name.lstrip("-") for word in requirements]
        home = self.cache / "-".join(words).replace("=", "")
        stamp = home / "made-of"
        wanted = f"{sys.version}\n{' '.join(requirements)}\n"
        if not stamp.is_file() or stamp.read_text() != wanted:
            print(f"installing {' '.join(requirements)} ...", file=sys.stderr)
            shutil.rmtree(home, ignore_errors=True)
            checked([sys.executable, "-m", "venv", str(home)])
            checked([str(home / "bin" / "pip"), "install", "--quiet", *requirements])
            stamp.write_text(wanted)
        return home


def on_path(name: str) -> Path:
    """Return the path of the program *name*.

    Raises:
        Missing: there is none on the PATH.
    """
    found = shutil.which(name)
    if found is None:
        raise Missing(f"{name} is not installed")
    return Path(found)


def version_of(program: Path, package: str | None) -> str:
    """Return the version of *package* next to *program*, or what `program --version` begins with."""
    if package is None:
        run = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
        return (run.stdout or run.stderr).split("\n", 1)[0].strip()
    libraries = [str(path) for path in program.parent.parent.glob("lib/python*/site-packages")]
    found = next(iter(metadata.distributions(name=package, path=libraries)), None)
    return found.version if found else "unknown"


def checked(argv: Sequence[str]) -> str:
    """Run *argv*, return its standard output.

    Raises:
        Missing: it failed.
    """
    run = subprocess.run(argv, capture_output=True, text=True, check=False)
    if run.returncode:
        last_line = (run.stderr or run.stdout).strip().rsplit("\n", 1)[-1]
        raise Missing(f"{Path(argv[0]).name} failed: {last_line}")
    return run.stdout
