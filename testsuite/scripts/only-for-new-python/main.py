"""Uses what older versions do not have."""

from itertools import batched

print(list(batched("warp and weft", 5)))
