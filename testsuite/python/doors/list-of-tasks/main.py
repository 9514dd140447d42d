"""Runs calls blocking and awaited, with failures, subtasks and captured output."""

import asyncio
import os
import sys

from testloom.tasks import Scheduler


def halve(number):
    half, rest = divmod(number, 2)
    if rest:
        raise ValueError(f"{number} is odd")
    return half


def talk(word):
    print(word)
    sys.stderr.write(word * 3 + "\n")


print(Scheduler().map_blocking(halve, [(n,) for n in range(0, 10, 2)]))

scheduler = Scheduler(lambda done, total: print(f"{done}/{total}", end=" "), only_threads=True)
scheduler.concurrent_count = 1  # one after the other
scheduler.add(halve, (4,), subtasks=2)
scheduler.add(halve, (5,))
scheduler.add(os.path.basename, ("a/b",))
print(asyncio.run(scheduler.run()), scheduler.errors[1].splitlines()[-1])

Scheduler(capture_stdout=True).map_blocking(talk, [("ping",)])

gone = Scheduler()
gone.add(os._exit, (7,))
print(gone.run_blocking(), gone.errors)
