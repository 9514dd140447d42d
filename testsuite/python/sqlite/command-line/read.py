import sqlite3
import sys

db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
for row in db.execute("select name, price from item order by price"):
    print(*row)
try:
    db.execute("delete from item")
except sqlite3.OperationalError as error:
    print(error)
