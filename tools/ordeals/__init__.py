"""Ordeals: what testloom goes through for longer than a test may take.  `tools/ordeal.py` runs them."""
