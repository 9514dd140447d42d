"""Ways to run a fragment: a warm forked process, a fresh interpreter, the main process itself."""
