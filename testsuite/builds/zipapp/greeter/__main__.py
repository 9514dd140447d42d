"""Greets people."""

import sys

from people import listed

names = sys.argv[1:]
polite = names[:1] == ["--polite"]
names = names[polite:] or ["world"]
if names == ["-"]:
    names = sys.stdin.read().split()
if not all(names):
    sys.exit(print("greet whom?") or 1)
print(f"Good day, {listed(names)}." if polite else f"Hello, {listed(names)}!")
