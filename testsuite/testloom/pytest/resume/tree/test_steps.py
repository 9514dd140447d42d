import os

import pytest


@pytest.mark.parametrize("number", range(2))
def test_number(number):
    print("printed by", number)


@pytest.mark.xfail(reason="known")
def test_known():
    raise AssertionError


def test_repaired():
    assert os.path.exists("repaired")


def test_after():
    pass
