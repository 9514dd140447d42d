from __future__ import annotations

import pytest

from testloom.scheduling.load import LoadLimit

LOAD = LoadLimit(least=3, most=12)


@pytest.mark.parametrize(
    ("limit", "cpu_percent", "waiting", "expected"),
    [
        (3, 50.0, 100, 6),  # as many as would use all of it
        (3, 90.0, 100, 4),  # at least one more
        (3, 0.0, 100, 12),  # not measurable: as many as may be
        (6, 10.0, 100, 12),
        (12, 50.0, 100, 12),  # never more
        (6, 50.0, 6, 6),  # nobody needs more
        (8, 95.0, 100, 6),  # the processors are busy: fewer
        (4, 100.0, 0, 3),
        (3, 100.0, 100, 3),  # never less
    ],
)
def test_the_limit_follows_the_load(
    limit: int, cpu_percent: float, waiting: int, expected: int
) -> None:
    assert LOAD.after(limit, cpu_percent, waiting) == expected


def test_from_which_load_on_it_falls_can_be_chosen() -> None:
    assert LoadLimit(least=1, most=9, busy_percent=50).after(4, 50.0, 100) == 3
