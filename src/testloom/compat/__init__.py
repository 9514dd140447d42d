"""Doors for people who come from other systems."""
