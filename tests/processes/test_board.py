"""What slots are doing, in memory that is shared with forks."""

from __future__ import annotations

import os

from testloom.processes.board import NOTHING, Board, Doing


def test_at_first_nothing_goes_on() -> None:
    assert Board(2).look(1).unit == NOTHING


def test_slots_do_not_disturb_each_other() -> None:
    board = Board(2)
    board.begin(0, 7, 1.5)
    board.begin(1, 8, 2.5)
    board.reach(0, 2)
    board.clear(1)

    assert board.look(0) == Doing(7, 2, 1.5)
    assert board.look(1).unit == NOTHING


def test_what_a_fork_has_begun_is_seen_after_its_death() -> None:
    board = Board(1)
    pid = os.fork()
    if pid == 0:
        board.begin(0, 42, 3.0)
        board.reach(0, 1)
        os._exit(0)
    os.waitpid(pid, 0)

    assert board.look(0) == Doing(42, 1, 3.0)
