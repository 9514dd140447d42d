"""Shows absolute paths."""

import os
import sys

print(os.getcwd())
print(os.path.abspath(sys.argv[1]))
print(sorted(os.listdir(os.path.dirname(os.path.abspath(__file__)))))
