"""Writes every byte once."""

import sys

sys.stdout.buffer.write(bytes(range(256)))
