"""Fails three calls deep."""


def outer(depth):
    if depth == 0:
        raise LookupError("thread is broken")
    outer(depth - 1)


outer(2)
