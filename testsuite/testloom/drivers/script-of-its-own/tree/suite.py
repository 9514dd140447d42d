"""A suite in one file."""

import sys

import testloom
from testloom.drivers import ClassicTestDriver


class EchoDriver(ClassicTestDriver):
    def run(self):
        self.shell(["echo", self.test_env["say"]])

    def compute_failures(self):
        said = self.output.log.strip()
        return [] if said == self.test_env["hear"] else [f"heard {said!r}"]


class Suite(testloom.Testsuite):
    tests_subdir = "tests"
    test_driver_map = {"echo": EchoDriver}  # noqa: RUF012 - nobody changes it
    default_driver = "echo"
    default_failure_exit_code = 9


if __name__ == "__main__":
    sys.exit(Suite(testsuite_name="echoes").testsuite_main())
