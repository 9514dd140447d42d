"""Rounds."""

print([round(x + 0.5) for x in range(4)])
