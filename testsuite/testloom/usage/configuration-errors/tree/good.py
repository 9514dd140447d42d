"""A suite."""

import testloom


class Suite(testloom.Testsuite):
    """Does nothing special."""
