"""Drivers that leave things behind."""

import subprocess
import threading

import testloom
from testloom.discovery import ParsedTest, TestFinder
from testloom.drivers import TestDriver, TestStatus


class Leaves(TestDriver):
    def add_test(self, dag):
        self.add_fragment(dag, "go")

    def note(self, process):
        with open("pids", "a", encoding="utf-8") as file:
            print(process.pid, file=file)

    def go(self, prev, slot):
        self.leave()
        self.result.set_status(TestStatus.PASS)
        self.push_result()


class Process(Leaves):
    def leave(self):
        self.note(subprocess.Popen(["sleep", "771"]))


class Session(Leaves):
    def leave(self):
        self.note(subprocess.Popen(["sleep", "772"], start_new_session=True))


class Thread(Leaves):
    def leave(self):
        threading.Thread(target=threading.Event().wait).start()


class Nothing(Leaves):
    def leave(self):
        pass


TESTS = {"a-process": Process, "b-session": Session, "c-thread": Thread, "d-nothing": Nothing}


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
