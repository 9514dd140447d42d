"""Finds tests in a tree, gives them names and selects among them."""

from testloom.discovery.file_finder import FileFinder
from testloom.discovery.finder import AdaCoreLegacyTestFinder, Suite, TestFinder
from testloom.discovery.found import Found
from testloom.discovery.names import e3_name, path_name
from testloom.discovery.near import near_names, suggestions
from testloom.discovery.select import Selection
from testloom.discovery.terms import Candidate
from testloom.discovery.walk import discover
from testloom.discovery.yaml_tests import YAMLTestFinder, e3_message
from testloom.model.errors import ProbingError
from testloom.model.test import BrokenTest, ParsedTest

__all__ = [
    "AdaCoreLegacyTestFinder",
    "BrokenTest",
    "Candidate",
    "FileFinder",
    "Found",
    "ParsedTest",
    "ProbingError",
    "Selection",
    "Suite",
    "TestFinder",
    "YAMLTestFinder",
    "discover",
    "e3_message",
    "e3_name",
    "near_names",
    "path_name",
    "suggestions",
]
