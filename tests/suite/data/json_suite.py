"""One test a file: does ``python -m json.tool`` accept what is JSON, and reject what is not?

``y_*`` must be accepted, ``n_*`` must be rejected, ``i_*`` may be either.
"""

import os
import sys
from typing import Any

from testloom import Testsuite
from testloom.discovery import ParsedTest, TestFinder
from testloom.drivers import ClassicTestDriver


class JsonFinder(TestFinder):
    test_dedicated_directory = False

    def probe(
        self, testsuite: Any, dirpath: str, dirnames: list[str], filenames: list[str]
    ) -> list[ParsedTest]:
        return [
            ParsedTest(
                name.removesuffix(".json"),
                JsonDriver,
                {"file": os.path.join(dirpath, name)},
                dirpath,
                name,
            )
            for name in filenames
            if name.endswith(".json")
        ]


class JsonDriver(ClassicTestDriver):
    copy_test_directory = False
    default_encoding = "binary"

    def run(self) -> None:
        os.makedirs(self.working_dir(), exist_ok=True)
        argv = [sys.executable, "-m", "json.tool", self.test_env["file"]]
        self.accepted = self.shell(argv, catch_error=False).status == 0

    def compute_failures(self) -> list[str]:
        expected = {"y": True, "n": False}.get(self.test_name[0], self.accepted)
        if self.accepted == expected:
            return []
        return ["accepted, but it is not JSON" if self.accepted else "rejected, but it is JSON"]


class JsonSuite(Testsuite):
    test_finders = [JsonFinder()]

    def add_options(self, parser: Any) -> None:
        parser.add_argument("--corpus", default=".")

    def set_up(self) -> None:
        self.test_dir = os.path.abspath(self.main.args.corpus)


if __name__ == "__main__":
    sys.exit(JsonSuite().testsuite_main())
