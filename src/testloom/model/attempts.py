"""Which earlier results belong to which result of a test that had several attempts.

An attempt at a test runs all of its fragments again, and may come to other results than the
one before it: a crash leaves one result where a pass leaves three.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from testloom.model.summary import ResultEntry


def with_earlier(
    results: Sequence[ResultEntry], earlier: Sequence[ResultEntry]
) -> list[ResultEntry]:
    """Return the final *results* of one test, each with what belongs to it of *earlier*.

    A result gets the earlier ones of its name.  Those of names that did not come again go to
    the result that has the name of the test, or else to the last one: nothing is lost.  Of an
    attempt that counts nothing is an earlier one, even if it is among *earlier*: where a test was
    repeated, that is known only afterwards.
    """
    counting = {result.attempt for result in results}
    names = {result.name for result in results}
    own = results[-1].test if results[-1].test in names else results[-1].name
    found: dict[str, list[ResultEntry]] = {}
    for one in sorted(earlier, key=lambda one: one.attempt):
        if one.attempt in counting:
            continue
        found.setdefault(one.name if one.name in names else own, []).append(one)
    return [
        msgspec.structs.replace(result, earlier=tuple(found[result.name]))
        if result.name in found
        else result
        for result in results
    ]


def all_with_earlier(
    results: Sequence[ResultEntry], earlier: Mapping[str, Sequence[ResultEntry]]
) -> list[ResultEntry]:
    """Return *results* of many tests, each with what belongs to it; order and number stay.

    *earlier* has the earlier results of each test that had several attempts, under its name.
    """
    places: dict[str, list[int]] = {}
    for at, result in enumerate(results):
        if result.test in earlier:
            places.setdefault(result.test, []).append(at)
    joined = list(results)
    for test, found in places.items():
        whole = with_earlier([results[at] for at in found], earlier[test])
        for at, result in zip(found, whole, strict=True):
            joined[at] = result
    return joined
