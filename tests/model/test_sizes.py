from __future__ import annotations

import pytest

from testloom.model.sizes import shown_size, size_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("4096", 4096), ("64MB", 64_000_000), ("64 M", 64_000_000), ("1.5 GiB", 3 << 29)],
)
def test_sizes_have_units_of_both_kinds(text: str, size: int) -> None:
    assert size_bytes(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1", "1e9", "64 mb", "1 TB", "1.2.3", "9" * 20, "1\n"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no size; write a number of bytes, or 64 MB"):
        size_bytes(text)


@pytest.mark.parametrize("text", ["64 MB", "1 GiB", "1.2 KB", "3.5 MB", "12 bytes", "0 bytes"])
def test_a_size_is_shown_as_people_write_it(text: str) -> None:
    assert shown_size(size_bytes(text.removesuffix(" bytes"))) == text
