"""``python -m testloom``: the same as the command ``testloom``."""

from __future__ import annotations

import sys

from testloom.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
