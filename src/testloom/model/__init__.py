"""Values that everything else may know and that know nobody: no I/O, no clock, no processes."""
