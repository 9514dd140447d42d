"""Whether a test is to run, and whether it is known to fail: the ``control`` of its test.yaml.

::

    control:
    - [SKIP, "env.target.os.name == 'windows'", "needs fork"]
    - [XFAIL, "not has_feature('simd')"]

The first entry whose condition is true decides.  See `testloom.drivers.conditions` for what a
condition may say.
"""

from __future__ import annotations

import abc
import enum
import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from testloom.drivers.conditions import evaluate

if TYPE_CHECKING:
    from testloom.drivers.base import TestDriver

logger = logging.getLogger("testsuite")


class TestControlKind(enum.Enum):
    """What an entry of ``control`` asks for."""

    __test__ = False  # not a pytest class

    NONE = 0
    """Run the test as if there were no ``control``."""
    SKIP = 1
    """Do not run it."""
    XFAIL = 2
    """Run it; it is expected to fail."""


class TestControl:
    """What to do with a test."""

    __test__ = False  # not a pytest class

    def __init__(
        self,
        message: str | None = None,
        skip: bool = False,
        xfail: bool = False,
        opt_results: dict[str, Any] | None = None,
    ) -> None:
        self.message = message
        """Why it is skipped or expected to fail."""
        self.skip = skip
        """Whether not to run it; its result is SKIP, or XFAIL if `xfail` is set too."""
        self.xfail = xfail
        """Whether a failure is expected."""
        self.opt_results = opt_results
        """What a ``test.opt`` file said, for drivers that read one."""


class TestControlCreator(abc.ABC):
    """Finds out what to do with a test."""

    __test__ = False  # not a pytest class

    @abc.abstractmethod
    def create(self, driver: TestDriver) -> TestControl:
        """Return what to do with the test of *driver*.

        Raises:
            ValueError: what the test says about this makes no sense; the test is an ERROR.
        """


class YAMLTestControlCreator(TestControlCreator):
    """Reads the ``control`` entries of ``test.yaml``."""

    def __init__(self, condition_env: Mapping[str, Any] | None = None) -> None:
        self.condition_env = {} if condition_env is None else condition_env
        """Names that conditions may use, besides ``env``."""

    def create(self, driver: TestDriver) -> TestControl:
        if "test_dir" in driver.test_env and os.access(driver.test_dir("test.opt"), os.F_OK):
            logger.warning(
                '%s: "test.opt" file found whereas only "control" entries are considered',
                driver.test_name,
            )
        entries = driver.test_env.get("control")
        if entries is None:
            return TestControl()
        if not isinstance(entries, list):
            raise ValueError("list expected at the top level")  # noqa: TRY004 - as promised
        names = {**self.condition_env, "env": driver.env}
        # All conditions are evaluated, so that a wrong one is found on every machine.
        controls = [_control(number, entry, names) for number, entry in enumerate(entries, 1)]
        return next((control for control in controls if control is not None), TestControl())


def _control(number: int, entry: object, names: Mapping[str, Any]) -> TestControl | None:
    """Return what entry *number* asks for; None if its condition is false."""
    if (
        not isinstance(entry, list)
        or len(entry) not in (2, 3)
        or not all(isinstance(part, str) for part in entry)
    ):
        raise ValueError(f"entry #{number}: list of 2 or 3 strings expected")
    kind_name, condition, *rest = entry
    try:
        kind = TestControlKind[kind_name]
    except KeyError:
        raise ValueError(f"entry #{number}: invalid kind: {kind_name}") from None
    try:
        applies = bool(evaluate(condition, names))
    except Exception as error:  # the suite's functions may raise anything
        raise ValueError(
            f"entry #{number}: invalid condition ({type(error).__name__}): {error}"
        ) from error
    if not applies:
        return None
    return TestControl(
        message=rest[0] if rest else None,
        skip=kind is TestControlKind.SKIP,
        xfail=kind is TestControlKind.XFAIL,
    )
