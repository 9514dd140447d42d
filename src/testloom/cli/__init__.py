"""The command ``testloom``: its sub-commands, and what they exit with."""
