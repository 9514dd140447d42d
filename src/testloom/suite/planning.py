"""From tests to a graph of fragments: makes the drivers and lets them add what they want.

What one test gets wrong (its constructor or `add_test` raises, its fragments wait for each
other, it follows something that is not there) becomes a `BrokenTest`; its fragments are taken
out again and the other tests run.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from e3.collection.dag import DAG

from testloom.model import reason
from testloom.model.errors import CycleError, UsageError, nearest
from testloom.model.fragment import FragmentData
from testloom.model.names import path_for
from testloom.model.summary import ResultEntry
from testloom.model.test import BrokenTest, ParsedTest
from testloom.scheduling.graph import Graph, circles

if TYPE_CHECKING:
    from testloom.suite.attempts import Attempts

NO_FRAGMENT: Final = "its driver added no fragment; call add_fragment in add_test"


class PlannedTest(msgspec.Struct, eq=False):
    """A test that is going to run, and how far it has come."""

    name: str
    driver: str
    """Name of the driver's class."""
    source: str
    line: int
    tags: tuple[str, ...]
    left: int = 0
    """How many of its fragments have not ended."""
    results: int = 0
    """How many results it has."""
    started: bool = False
    wall_s: float = 0.0
    cpu_s: float = 0.0
    inputs: str = ""
    """Fingerprint of what it is made of, see `testloom.suite.fingerprints`."""
    earlier: tuple[ResultEntry, ...] = ()
    """Results of attempts in a run that this one resumes, oldest first."""
    attempts: Attempts | None = None
    """If it may run more than once: how far it has come with that."""


class Plan(msgspec.Struct):
    """What is going to run."""

    graph: Graph
    tests: dict[str, PlannedTest]
    """Name -> test, in the order in which they were found."""
    owners: dict[str, PlannedTest]
    """Uid of a fragment -> the test it belongs to."""
    broken: list[BrokenTest]
    places: dict[str, PlannedTest]
    """Where broken tests come from, by their names."""

    @property
    def fragments(self) -> dict[str, FragmentData]:
        return self.graph.vertex_data


def plan(
    tests: Sequence[ParsedTest],
    broken: Sequence[BrokenTest],
    *,
    env: Any,
    root: str,
    default_driver: type[Any] | None = None,
    prepare: Callable[[Any], None] = lambda _driver: None,
    adjust: Callable[[DAG], None] = lambda _dag: None,
) -> Plan:
    """Make the drivers of *tests* and the graph of their fragments.

    Args:
        tests: the tests to run, their names unique.
        broken: those that cannot be run, as discovery found them.
        env: what each driver is made with, besides what its test says about itself.
        root: directory that paths are shown relative to.
        default_driver: the class for tests that name none.
        prepare: called with each driver once it is made.
        adjust: may add edges between tests to the graph, as e3's `adjust_dag_dependencies`.
    """
    dag = DAG()
    result = Plan(Graph(), {}, {}, [], {})
    clashes: dict[str, str] = {}
    for one in broken:
        _note_broken(result, one, root)
    for test in tests:
        planned = _planned(test, root)
        result.places[test.test_name] = planned
        if test.driver_cls is None:
            test.driver_cls = default_driver
        try:
            driver = _driver(test, env)
            prepare(driver)
        except UsageError as error:  # what the test says about itself is wrong
            broken_test = BrokenTest(test.test_name, test.test_dir, str(error), reason.CONFIG)
            result.broken.append(broken_test)
            continue
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a driver's constructor is foreign code
            result.broken.append(_broken(test, error, reason.CONSTRUCTOR))
            continue
        uids = _added(result, dag, test, driver, clashes)
        if uids is None:
            continue
        planned.left = len(uids)
        result.tests[test.test_name] = planned
        for uid in uids:
            result.owners[uid] = planned
    adjust(dag)
    result.graph = Graph.of(dag)
    result.graph.remove([uid for uid in result.graph.vertex_data if uid not in result.owners])
    _withdraw(result, clashes, reason.ADD_TEST)
    _drop_dangling(result)
    _drop_circles(result)
    return result


def followed_tests(plan: Plan) -> dict[str, set[str]]:
    """Return which other tests each test of *plan* follows, for those that follow any."""
    found: dict[str, set[str]] = {}
    owners = plan.owners
    for uid, before in plan.graph.predecessors.items():
        for other in before:
            if owners[other] is not owners[uid]:
                found.setdefault(owners[uid].name, set()).add(owners[other].name)
    return found


def _driver(test: ParsedTest, env: Any) -> Any:
    test_env = test.test_env
    test_env["test_dir"] = test.test_dir
    test_env["test_name"] = test.test_name
    test_env["test_matcher"] = test.test_matcher
    test_env["working_dir"] = os.path.join(env.working_dir, path_for(test.test_name))
    if test.driver_cls is None:
        raise UsageError("missing test driver: the test names none, and the suite has no default")
    return test.driver_cls(env, test_env)


def _added(
    result: Plan, dag: DAG, test: ParsedTest, driver: Any, clashes: dict[str, str]
) -> list[str] | None:
    """Let *driver* add its fragments; return their uids, or None if that went wrong.

    A fragment that another test has added already is gone from the graph then, so that test is
    broken, too: *clashes* gets the uid and a message for it.
    """
    try:
        driver.add_test(dag)
        uids = _checked(driver.fragment_uids)
        for uid in uids:
            if uid in result.owners:
                clashes[uid] = f"fragment {uid!r} was added by test {test.test_name!r}, too"
                other = result.owners[uid].name
                raise ValueError(f"fragment {uid!r} exists already, in test {other!r}")  # noqa: TRY301 - one way out
    except (Exception, SystemExit) as error:  # noqa: BLE001 - foreign code
        result.broken.append(_broken(test, error, reason.ADD_TEST))
        return None
    if not uids and not driver.result_queue:
        why = ValueError(NO_FRAGMENT)
        result.broken.append(_broken(test, why, reason.ADD_TEST))
        return None
    return uids


def _checked(pending: Sequence[str]) -> list[str]:
    uids = list(dict.fromkeys(pending))
    if len(uids) < len(pending):
        twice = next(uid for uid in uids if pending.count(uid) > 1)
        raise ValueError(f"fragment {twice!r} was added twice; give each its own name")
    return uids


def _broken(test: ParsedTest, error: BaseException, why: str) -> BrokenTest:
    text = "".join(traceback.format_exception(error))
    return BrokenTest(test.test_name, test.test_dir, str(error) or type(error).__name__, why, text)


def _note_broken(result: Plan, one: BrokenTest, root: str) -> None:
    result.broken.append(one)
    source = one.source or one.test_dir
    shown = os.path.relpath(source, root) if source else ""
    result.places.setdefault(one.test_name, PlannedTest(one.test_name, "", shown, one.line, ()))


def _planned(test: ParsedTest, root: str) -> PlannedTest:
    source = test.source or test.test_dir
    prefix = root + os.sep
    shown = source.removeprefix(prefix) if source != root else "."
    driver = getattr(test.driver_cls, "__name__", "")
    return PlannedTest(test.test_name, driver, shown, test.line, test.tags)


def _withdraw(result: Plan, culprits: Mapping[str, str], why: str) -> None:
    """Take the tests of *culprits* (uid -> message) out of the plan."""
    if not culprits:
        return
    tests: dict[str, str] = {}
    for uid, message in culprits.items():
        tests.setdefault(result.owners[uid].name, message)
    gone = [uid for uid, owner in result.owners.items() if owner.name in tests]
    result.graph.remove(gone)
    for uid in gone:
        del result.owners[uid]
    for name, message in tests.items():
        del result.tests[name]
        result.broken.append(BrokenTest(name, "", message, why))


def _drop_dangling(result: Plan) -> None:
    unknown = result.graph.unknown_predecessors()
    culprits = {
        uid: f"fragment {uid!r} follows {missing[0]!r}, which does not exist"
        + nearest(missing[0], _near(result.graph.vertex_data, uid))
        for uid, missing in unknown.items()
    }
    _withdraw(result, culprits, reason.ADD_TEST)


def _near(uids: Iterable[str], uid: str) -> list[str]:
    """Return the candidates for a suggestion: few, because comparing texts is slow."""
    prefix = uid.rpartition(".")[0]
    return [other for other in uids if other.startswith(prefix)][:100]


def _drop_circles(result: Plan) -> None:
    culprits: dict[str, str] = {}
    for circle in circles(result.graph.predecessors):
        message = str(CycleError(circle))
        culprits.update(dict.fromkeys(circle, message))
    _withdraw(result, culprits, reason.CYCLE)
