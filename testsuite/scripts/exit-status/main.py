"""Exits with a status of its own."""

import sys

print("leaving")
sys.exit(17)
