"""Writes text as people did it once."""

import sys

sys.stdout.buffer.write("Grüße, señor\n".encode("latin-1"))
