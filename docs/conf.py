"""How Sphinx makes pages of this folder; ``README.md`` beside this file says how to call it."""

# ruff: noqa: INP001 - a script, not a part of a package

from __future__ import annotations

from typing import Any

from testloom import __version__

project = "testloom"
author = "the authors of testloom"
version = release = __version__

extensions = ["myst_parser"]
exclude_patterns = ["README.md", "_build"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"testloom {version}"
html_copy_source = False
html_theme_options: dict[str, Any] = {"navigation_with_keys": True}
