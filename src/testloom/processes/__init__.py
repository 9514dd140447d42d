"""The only code that starts, drains, signals, kills and reaps processes; the clock, channels and the disk."""
