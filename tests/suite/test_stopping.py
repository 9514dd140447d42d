"""When a run stops, and how fast."""

import signal

from testloom.scheduling import Phase
from testloom.suite.stopping import Limits, StopPolicy


def test_a_run_goes_on_while_nothing_happens() -> None:
    policy = StopPolicy(Limits(max_failures=2))

    assert not policy.counted(1, 1)
    assert (policy.phase, policy.why) == (None, "")


def test_the_failure_that_reaches_the_limit_stops_the_run_once() -> None:
    policy = StopPolicy(Limits(max_failures=2))

    assert [policy.counted(n, n) for n in (1, 2, 3)] == [False, True, False]
    assert (policy.phase, policy.why) == (Phase.DRAINING, "2 failures, the limit")


def test_failures_in_a_row_are_counted_apart_from_failures_in_all() -> None:
    policy = StopPolicy(Limits(max_consecutive_failures=2))

    assert not policy.counted(5, 1)
    assert policy.counted(6, 2)
    assert policy.why == "too many consecutive failures"


def test_signals_come_in_three_steps() -> None:
    policy = StopPolicy(Limits())

    steps = [(policy.signalled(signal.SIGINT), policy.phase) for _ in range(3)]

    assert steps == [(False, Phase.TERMINATING), (False, Phase.KILLING), (True, Phase.KILLING)]


def test_the_first_signal_is_the_one_that_the_process_dies_by() -> None:
    policy = StopPolicy(Limits())
    policy.signalled(signal.SIGINT)
    policy.signalled(signal.SIGTERM)

    assert (policy.signum, policy.why) == (signal.SIGINT, "SIGINT received")


def test_a_signal_hurries_a_run_that_is_stopping_already() -> None:
    policy = StopPolicy(Limits(max_failures=1))
    policy.counted(1, 1)
    policy.signalled(signal.SIGTERM)

    assert (policy.phase, policy.why) == (Phase.TERMINATING, "1 failure, the limit")


def test_a_reader_that_has_gone_ends_what_runs() -> None:
    policy = StopPolicy(Limits())
    policy.reader_gone()

    assert (policy.phase, policy.why) == (Phase.TERMINATING, "the output was closed")


def test_a_run_whose_time_is_up_ends_what_runs_also_if_it_was_ending_already() -> None:
    policy = StopPolicy(Limits(max_failures=1, max_time_s=5.0))

    policy.counted(1, 1)
    policy.time_is_up()

    assert (policy.phase, policy.why) == (Phase.TERMINATING, "1 failure, the limit")
    policy = StopPolicy(Limits(max_time_s=5.0))
    policy.time_is_up()
    assert (policy.phase, policy.why) == (Phase.TERMINATING, "the time of the run is up, 5 s")
