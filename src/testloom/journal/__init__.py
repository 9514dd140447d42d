"""The append-only record of a run: the only source of truth about its results."""
