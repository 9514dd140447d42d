"""A driver that spoils its process, and one that looks."""

import os
import resource
import signal
import sys
import threading

import testloom
from testloom.discovery import ParsedTest, TestFinder
from testloom.drivers import TestDriver, TestStatus


class Spoils(TestDriver):
    def add_test(self, dag):
        self.add_fragment(dag, "go")

    def go(self, prev, slot):
        os.chdir("/")
        os.umask(0o77)
        os.environ["SPOILT"] = "yes"
        os.environ.pop("PATH")
        sys.stdout = None
        sys.stdin.close()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        sys.setrecursionlimit(100_000)
        sys.path.insert(0, "/spoilt")
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        self.left_open = os.open("/dev/null", os.O_RDONLY)
        self.result.set_status(TestStatus.PASS)
        self.push_result()


class Looks(TestDriver):
    def add_test(self, dag):
        self.add_fragment(dag, "go")

    def go(self, prev, slot):
        mask = os.umask(0o22)
        wrong = {
            "directory": os.getcwd() == "/",
            "umask": mask == 0o77,
            "environment": "SPOILT" in os.environ or "PATH" not in os.environ,
            "stdout": sys.stdout is None,
            "stdin": sys.stdin.closed,
            "handlers": signal.getsignal(signal.SIGUSR1) == signal.SIG_IGN,
            "mask": signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, []),
            "recursion": sys.getrecursionlimit() == 100_000,
            "sys.path": "/spoilt" in sys.path,
            "limits": resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 64,
            "threads": threading.active_count() > 1,
        }
        found = [name for name, is_wrong in wrong.items() if is_wrong]
        self.result.set_status(
            TestStatus.FAIL if found else TestStatus.PASS, f"spoilt: {', '.join(found)}"
        )
        self.push_result()


TESTS = {
    "1-looks": Looks,
    "2-spoils": Spoils,
    "3-looks": Looks,
    "4-spoils": Spoils,
    "5-looks": Looks,
}


class Each(TestFinder):
    """Makes a test of each driver of this file."""

    def probe(self, testsuite, dirpath, dirnames, filenames):
        if "suite.py" not in filenames:
            return None
        return [
            ParsedTest(name, driver, {}, dirpath, source=__file__) for name, driver in TESTS.items()
        ]


class Suite(testloom.Testsuite):
    """All of them."""

    test_finders = (Each(),)
