"""Keys decide about outputs: letters in, verdicts out."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from testloom.suite.review import Decided, Review, Show, Verdict


def by_length(items: Sequence[str], one: str) -> list[str]:
    return [item for item in items if len(item) == len(one)]


@pytest.fixture
def review() -> Review[str]:
    return Review(["a", "bb", "c", "dd", "e"], by_length)


@pytest.mark.parametrize(
    ("key", "verdict"), [("a", Verdict.ACCEPT), ("r", Verdict.REJECT), ("s", Verdict.SKIP)]
)
def test_a_small_letter_decides_about_one(review: Review[str], key: str, verdict: Verdict) -> None:
    assert review.press(key) == Decided(verdict, ("a",))
    assert (review.current, review.left) == ("bb", 4)


@pytest.mark.parametrize(
    ("key", "verdict"), [("A", Verdict.ACCEPT), ("R", Verdict.REJECT), ("S", Verdict.SKIP)]
)
def test_a_capital_decides_about_all_that_are_left(
    review: Review[str], key: str, verdict: Verdict
) -> None:
    review.press("s")
    assert review.press(key) == Decided(verdict, ("bb", "c", "dd", "e"))
    assert (review.current, review.left) == (None, 0)


def test_all_with_the_same_change_are_accepted_together(review: Review[str]) -> None:
    assert review.alike == ("a", "c", "e")
    assert review.press("g") == Decided(Verdict.ACCEPT, ("a", "c", "e"))
    assert [review.current, *review.alike] == ["bb", "bb", "dd"]


def test_to_quit_leaves_the_rest_as_it_is(review: Review[str]) -> None:
    review.press("a")
    assert review.press("q") == Decided(Verdict.SKIP, ("bb", "c", "dd", "e"))


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("?", Show.KEYS),
        ("i", Show.DETAILS),
        ("d", Show.OTHER_VIEW),
        ("e", Show.EDITOR),
        ("x", Show.KEYS),
        ("", Show.KEYS),
    ],
)
def test_other_keys_show_something_and_decide_nothing(
    review: Review[str], key: str, shown: Show
) -> None:
    assert review.press(key) is shown
    assert (review.current, review.left) == ("a", 5)


def test_what_was_edited_is_asked_about_in_its_new_form(review: Review[str]) -> None:
    review.replace("ee")
    assert (review.current, review.alike, review.left) == ("ee", ("ee", "bb", "dd"), 5)
    assert review.press("a") == Decided(Verdict.ACCEPT, ("ee",))


def test_nothing_can_be_decided_when_nothing_is_left() -> None:
    review: Review[str] = Review([], by_length)
    assert (review.current, review.alike, review.press("a")) == (None, (), Show.KEYS)
