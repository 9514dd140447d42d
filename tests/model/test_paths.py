"""What decided how long a run took, on small runs drawn in the comments."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from testloom.model.paths import critical_path, longest_chain
from testloom.model.span import FragmentSpan


def span(
    uid: str, slot: int, started: float, ended: float, *after: str, n: int = 1
) -> FragmentSpan:
    return FragmentSpan(
        uid=uid, test=uid, name="run", slot=slot, started_s=started, ended_s=ended, after=after,
        attempt=n,
    )  # fmt: skip


def uids(spans: list[FragmentSpan], places: list[int]) -> list[str]:
    return [spans[place].uid for place in places]


def test_nothing_ran() -> None:
    assert critical_path([]) == []
    assert longest_chain([]) == []


def test_the_critical_path_follows_what_was_waited_for() -> None:
    # 0  |a--||c-----|        c waits for a, and is free to start in slot 0
    # 1  |b------||d---|      d waits for c? no: for its slot, until b has ended
    spans = [
        span("a", 0, 0, 2),
        span("b", 1, 0, 4),
        span("c", 0, 2, 5, "a"),
        span("d", 1, 4, 6),
    ]
    assert uids(spans, critical_path(spans)) == ["b", "d"]


def test_of_slot_and_dependency_the_later_one_is_critical() -> None:
    # 0  |a--|   |c---|       c waits for b
    # 1  |b------|
    spans = [span("a", 0, 0, 2), span("b", 1, 0, 4), span("c", 0, 4.0005, 6, "b", "a")]
    assert uids(spans, critical_path(spans)) == ["b", "c"]


def test_fragments_that_take_no_time_do_not_break_the_path() -> None:
    spans = [
        span("a", 0, 0, 2),
        span("b", 0, 2, 2),
        span("c", 0, 2.0002, 2.0002),
        span("d", 0, 2.0004, 3),
    ]
    assert uids(spans, critical_path(spans)) == ["a", "b", "c", "d"]


def test_a_slot_that_was_idle_ends_the_path() -> None:
    spans = [span("late", 0, 3, 4)]
    assert uids(spans, critical_path(spans)) == ["late"]


def test_the_longest_chain_does_not_care_for_slots() -> None:
    spans = [
        span("long", 0, 0, 5),
        span("a", 1, 0, 3),
        span("b", 1, 3, 5, "a"),
        span("c", 0, 5, 6, "b"),
        span("d", 1, 5, 5.5, "a"),
    ]
    assert uids(spans, longest_chain(spans)) == ["a", "b", "c"]


def test_of_several_attempts_the_one_counts_that_had_ended() -> None:
    spans = [
        span("a", 0, 0, 1),
        span("a", 0, 1, 3, n=2),
        span("b", 0, 3, 4, "a"),
        span("a", 1, 5, 6, n=3),
    ]
    assert longest_chain(spans) == [1, 2]


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 20), st.integers(0, 9), st.integers(0, 20)),
        max_size=20,
    )
)
def test_both_come_to_an_end_and_go_forward_in_time(
    parts: list[tuple[int, int, int, int]],
) -> None:
    spans = [
        span(str(n), slot, start, start + took, str(before))
        for n, (slot, start, took, before) in enumerate(parts)
    ]
    for path in (critical_path(spans), longest_chain(spans)):
        assert len(set(path)) == len(path)
        starts = [spans[place].started_s for place in path]
        assert starts == sorted(starts)
    if spans:
        assert spans[critical_path(spans)[-1]].ended_s == max(one.ended_s for one in spans)


def test_a_chain_of_many_fragments_takes_no_recursion() -> None:
    spans = [span(str(n), 0, n, n + 1, str(n - 1)) for n in range(20_000)]
    assert critical_path(spans) == list(range(20_000))
    assert longest_chain(spans) == list(range(20_000))
