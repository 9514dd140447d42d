"""Answers a question about a database, which it cannot change."""

import sqlite3
import sys

db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
try:
    for row in db.execute(sys.argv[2]):
        print(*row, sep="|")
except sqlite3.Error as error:
    sys.exit(print(error) or 1)
