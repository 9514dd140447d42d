"""The suite as lit runs it; `config` is given by lit."""

from __future__ import annotations

import os

import lit.formats

config.name = "cat"  # noqa: F821 - given by lit
config.test_format = lit.formats.ShTest(execute_external=False)  # noqa: F821 - given by lit
config.suffixes = [".test"]  # noqa: F821 - given by lit
config.test_exec_root = os.environ["CAT_OUTPUT"]  # noqa: F821 - given by lit
