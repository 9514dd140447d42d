"""Makes a library of two thousand volumes, every seventh of which is lent."""

import sqlite3
import sys

with sqlite3.connect(sys.argv[1]) as db:
    db.execute("create table book (id integer primary key, title text, shelf int, pages int)")
    db.execute("create table loan (id integer primary key, who text)")
    books = ((n, f"Volume {n}", n % 10, 100 + n % 201) for n in range(2000))
    db.executemany("insert into book values (?, ?, ?, ?)", books)
    db.executemany("insert into loan values (?, ?)", ((n, "Ada") for n in range(0, 2000, 7)))
