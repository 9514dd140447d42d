"""A test suite: its options, its plan, its run and its extension points."""
