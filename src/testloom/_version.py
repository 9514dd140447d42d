"""The version, where both the build and the program find it without importing anything."""

__version__ = "0.1.0.dev0"
