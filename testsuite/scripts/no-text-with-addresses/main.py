"""Writes an address and a path among bytes that are no text."""

import os
import sys

out = sys.stdout.buffer
out.write(b"\xff\xfe" + repr(object()).encode() + b"\x00" + os.getcwd().encode() + b"\n")
