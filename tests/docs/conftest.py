"""Examples start programs in the background, whose orphans must go to init, as a reader's do.

Where this process is a subreaper, because an earlier test made it one, they would come to us: dead,
but seen by whoever asks whether they still run.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from testloom.processes import prctl


@pytest.fixture(autouse=True)
def _no_subreaper() -> Iterator[None]:
    prctl._prctl(prctl._PR_SET_CHILD_SUBREAPER, 0)
    yield
    prctl.become_subreaper()
