"""A suite that consists of a plugin."""

import hooks

import testloom


class Suite(testloom.Testsuite):
    plugins = (hooks,)
    test_finders = ()
