"""Tests for pytest beside a data test."""

import os

import pytest


@pytest.mark.parametrize("n", range(3))
def test_number(n):
    assert n < 2


def test_dies():
    os._exit(3)
