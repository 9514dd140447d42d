"""Names as they are said."""


def listed(names):
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
