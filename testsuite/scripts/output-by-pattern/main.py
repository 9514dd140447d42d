"""Writes what is different in each run, in a form that is not."""

import os
import sys

print(f"process {os.getpid()} runs Python {sys.version_info.major}.{sys.version_info.minor}")
