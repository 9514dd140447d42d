"""Computes in threads, and in another process."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

with ThreadPoolExecutor(4) as pool:
    print(list(pool.map(lambda n: n**3, range(6))))
print(subprocess.check_output([sys.executable, "-I", "-c", "print(6 * 7)"]))
