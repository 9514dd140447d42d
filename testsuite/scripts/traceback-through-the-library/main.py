"""Fails in the library, because of what it was given."""

import textwrap

textwrap.wrap("warp and weft", width=0)
