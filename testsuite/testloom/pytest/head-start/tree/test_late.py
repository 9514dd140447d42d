"""Is not imported before a test of the other module has run, or half a minute has gone."""

import pathlib
import time

import pytest

EARLY = pathlib.Path("early")
until = time.monotonic() + 30
while not EARLY.exists() and time.monotonic() < until:
    time.sleep(0.01)
WAS_THERE = EARLY.exists()


@pytest.fixture(scope="session")
def for_all():
    """Keep the tests of this module from beginning early, too."""


@pytest.mark.usefixtures("for_all")
def test_knows():
    assert WAS_THERE
