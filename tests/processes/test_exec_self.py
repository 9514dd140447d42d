from __future__ import annotations

import os
from pathlib import Path

import pytest

from testloom.processes import exec_self


def test_what_is_kept_in_memory_can_be_read_from_its_beginning() -> None:
    with open(exec_self.file_in_memory(b"\0content"), "rb") as file:
        assert file.read() == b"\0content"


MODULE = """
import os, sys
links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
targets = [os.readlink(link) for link in links if os.path.islink(link)]
print(*sorted(t.split()[0] for t in targets if "memfd" in t), __name__)
"""


def test_only_the_descriptors_that_are_named_survive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other numbers among the arguments mean something else: that of a slot, for instance."""
    (tmp_path / "looking.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    kept, other = os.memfd_create("kept"), os.memfd_create("other")
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            for source, target in ((os.open(os.devnull, os.O_RDONLY), 0), (writer, 1), (writer, 2)):
                os.dup2(source, target)
            exec_self.replace_by_module("looking", [other, kept, 777], keep=[kept])
        finally:
            os._exit(99)
    for fd in (writer, kept, other):
        os.close(fd)
    with open(reader, "rb") as file:
        said = file.read().decode()
    _pid, status = os.waitpid(pid, 0)

    assert (os.waitstatus_to_exitcode(status), said) == (0, "/memfd:kept __main__\n")
