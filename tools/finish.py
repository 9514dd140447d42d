"""Ends the set-up of an environment: makes our package importable in it, then links it into place.

The package is not built and installed: that would need a build backend, which the lock files do not
name, or the network.  A `.pth` file leads to `src`, relative where that is possible, so that a copied or
moved checkout uses its own sources.  Beside it stand the metadata by which other packages (pytest,
for its plugins) find our entry points.
"""

from __future__ import annotations

import os
import re
import sys
import sysconfig
import tomllib
from pathlib import Path


def finish(root: Path, env: Path, link: Path) -> None:
    """Make the package in *root* importable in *env*, then let *link* point to *env*."""
    site = Path(sysconfig.get_path("purelib"))
    source = root / "src"
    shown = os.path.relpath(source, site) if root in env.parents else source
    (site / "testloom.pth").write_text(f"{shown}\n", encoding="utf-8")
    _write_metadata(root, site)
    # Only a rename replaces a link in one step; `mv` would move into the folder it points to.
    new = link.with_name(f"{link.name}.{os.getpid()}")
    new.symlink_to(env.name)
    new.replace(link)


def _write_metadata(root: Path, site: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = _version(root / "src" / "testloom" / "_version.py")
    groups = {"console_scripts": project.get("scripts", {}), **project.get("entry-points", {})}
    info = site / f"{project['name']}-{version}.dist-info"
    info.mkdir()
    files = {
        "METADATA": f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {version}\n",
        "INSTALLER": "run-tests\n",
        "entry_points.txt": "".join(
            f"[{group}]\n" + "".join(f"{name} = {where}\n" for name, where in entries.items())
            for group, entries in groups.items()
        ),
    }
    for name, text in files.items():
        (info / name).write_text(text, encoding="utf-8")
    listed = ["testloom.pth", *(f"{info.name}/{name}" for name in (*files, "RECORD"))]
    (info / "RECORD").write_text("".join(f"{path},,\n" for path in listed), encoding="utf-8")


def _version(path: Path) -> str:
    found = re.search(r'__version__\s*(?::[^=]*)?=\s*"([^"]+)"', path.read_text(encoding="utf-8"))
    return found[1] if found else "0"


if __name__ == "__main__":
    finish(*map(Path, sys.argv[1:]))
