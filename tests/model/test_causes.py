"""Which failures are taken to have the same cause."""

from __future__ import annotations

from testloom.model.causes import masked


def test_details_are_masked() -> None:
    assert masked("w12: /tmp/x/a.out: 3.5 s at 0xFF, commit 9ab3f1c00 in ./src/a.c or a/b") == (
        "w~: ~: ~ s at ~, commit ~ in ~ or a/b"
    )
