"""Gives tests their names: two schemes, both made of the path of the test's directory.

`path_name` is what suites written for testloom use: the path itself.  `e3_name` is the scheme
of e3-testsuite, where a slash becomes two underscores; ``a/b`` and ``a__b`` have the same name
there.
"""

from __future__ import annotations

import os


def path_name(test_dir: str, dirpath: str) -> str:
    """Return the path of *dirpath* relative to *test_dir*, with slashes.

    >>> path_name("/suite/tests", "/suite/tests/parser/errors/eof")
    'parser/errors/eof'
    >>> path_name("/suite/tests", "/suite/more/eof")
    '../more/eof'
    """
    return _relative(test_dir, dirpath)


def e3_name(test_dir: str, dirpath: str) -> str:
    """Return the name that e3-testsuite gives to a test in *dirpath*.

    >>> e3_name("/suite/tests", "/suite/tests/parser/errors/eof")
    'parser__errors__eof'
    >>> e3_name("/suite/tests", "/suite/more/eof")
    'more__eof'
    """
    path = _relative(test_dir, dirpath).replace("\\", "/").rstrip("/")
    while path.startswith("../"):
        path = path[3:]
    return path.replace("/", "__")


def _relative(test_dir: str, dirpath: str) -> str:
    # os.path.relpath takes ten times as long, and nearly all tests are below their root.
    base = test_dir if test_dir.endswith("/") else test_dir + "/"
    if dirpath.startswith(base):
        rest = dirpath[len(base) :]
        if rest and "//" not in rest and "/." not in rest and not rest.startswith("."):
            return rest.rstrip("/")
    return os.path.relpath(dirpath, test_dir)
