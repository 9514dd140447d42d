import sqlite3
import sys

with sqlite3.connect(sys.argv[1]) as db:
    db.execute("create table item (name text primary key, price int)")
    db.executemany("insert into item values (?, ?)", [("thread", 3), ("needle", 2), ("loom", 900)])
