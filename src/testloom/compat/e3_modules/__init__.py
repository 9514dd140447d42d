"""What `testloom.compat.e3` provides where testloom's own classes do not already fit."""
