def double(x):
    """Return twice x.

    >>> double(1)
    2
    >>> double(2)
    5
    """
    return 2 * x
