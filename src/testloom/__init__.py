"""testloom: runs test suites whose tests are data."""
