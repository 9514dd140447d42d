from __future__ import annotations

import doctest

import pytest

from testloom.discovery import e3_name, names, path_name


@pytest.mark.parametrize(
    ("dirpath", "native", "e3"),
    [
        ("/s/tests/a", "a", "a"),
        ("/s/tests/a/b-c/d", "a/b-c/d", "a__b-c__d"),
        ("/s/tests/a__b", "a__b", "a__b"),
        ("/s/tests/a/", "a", "a"),
        ("/s/tests/a/./b/../c", "a/c", "a__c"),
        ("/s/tests/.hidden/x", ".hidden/x", ".hidden__x"),
        ("/s/tests", ".", "."),
        ("/s/tests/", ".", "."),
        ("/s/more/x", "../more/x", "more__x"),
        ("/other/x", "../../other/x", "other__x"),
        ("/s/tests2/x", "../tests2/x", "tests2__x"),
        ("/s/tests/a\\b", "a\\b", "a__b"),
        ("/s/tests/with space/é", "with space/é", "with space__é"),
        ("/s/tests/..a/b", "..a/b", "..a__b"),
    ],
)
def test_a_test_is_named_for_its_directory(dirpath: str, native: str, e3: str) -> None:
    assert (path_name("/s/tests", dirpath), e3_name("/s/tests", dirpath)) == (native, e3)


def test_the_root_of_all_directories_can_hold_the_tests() -> None:
    assert path_name("/", "/a/b") == "a/b"


def test_the_examples_are_right() -> None:
    assert doctest.testmod(names).failed == 0
