"""Writes line ends of both kinds."""

import sys

sys.stdout.write("one\r\ntwo\n")
