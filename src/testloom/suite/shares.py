"""Lets a run, or a list, be that of one share of the tests; `testloom.suite.sharding` divides."""

from __future__ import annotations

import os

from testloom.journal.reader import read
from testloom.journal.rundir import JOURNAL, find_run
from testloom.suite.planning import Plan, followed_tests
from testloom.suite.run_options import RunOptions
from testloom.suite.sharding import Shard, divide, times_of


def keep_share(plan: Plan, options: RunOptions) -> str:
    """Leave in *plan* only the share that *options* name; return the digest of the division.

    Without such an option everything stays, and the digest is empty.

    Raises:
        UsageError: the run whose times are to be used is not there.
    """
    if options.shard is None:
        return ""
    shard = Shard.parse(options.shard)
    times_s: dict[str, float] = {}
    if options.shard_times is not None:
        run_dir = find_run(options.output_dir, options.shard_times)
        times_s = times_of(read(os.path.join(run_dir, JOURNAL)).entries)
    names = [*plan.tests, *(broken.test_name for broken in plan.broken)]
    division = divide(names, followed_tests(plan), times_s, shard.count)
    share = division.share(shard.number)
    gone = [uid for uid, owner in plan.owners.items() if owner.name not in share]
    plan.graph.remove(gone)
    for uid in gone:
        del plan.owners[uid]
    for name in [name for name in plan.tests if name not in share]:
        del plan.tests[name]
    plan.broken[:] = [broken for broken in plan.broken if broken.test_name in share]
    return division.digest
