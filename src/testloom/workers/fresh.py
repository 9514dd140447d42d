"""Slots' processes that are fresh interpreters: nothing is inherited, everything is told.

For platforms without ``fork`` and for code that does not survive one.  Drivers must be
importable, or live in the main script, which is imported again under another name (its
``if __name__ == "__main__":`` part does not run).  The driver is made anew in the worker; a
callback that is not one of its methods is found by letting the driver add its fragments to a
graph of its own there.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import runpy
import socket
import sys
import types
from collections.abc import Callable
from typing import Any, Final

import msgspec
from e3.collection.dag import DAG
from e3.env import Env

from testloom.model.errors import InternalError
from testloom.model.fragment import FragmentData
from testloom.processes import exec_self
from testloom.processes.nursery import Nursery
from testloom.workers import messages, warm_process
from testloom.workers.messages import Order

_MAIN_ALIAS: Final = "__testloom_main__"
_ENV_OF_PROCESS: Final = frozenset({"environ", "cwd"})
"""What of the environment is the process's own and inherited anyway."""


class Setup(msgspec.Struct, array_like=True):
    """What a fresh interpreter has to know before it can take orders."""

    sys_path: list[str]
    main: str
    """Path of the main script; empty if drivers cannot live there."""
    env: dict[str, bytes]
    """The attributes of the suite's environment, each pickled."""


class Recipe(msgspec.Struct, array_like=True):
    """How to make a fragment."""

    uid: str
    name: str
    driver: bytes
    """Its class and ``test_env``, pickled."""
    by_name: bool


def spawning(env: Any, *, name: str) -> Callable[[], Nursery]:
    """Return what makes the nursery of a `WarmPool` whose workers are fresh interpreters."""
    setup = messages.encode(Setup(sys.path[:], _main_script(), _packed(env)))

    def child_main(slot: int, channel: socket.socket) -> None:
        path = exec_self.file_in_memory(setup)
        exec_self.replace_by_module(__name__, [str(slot), str(channel.detach()), str(path)])

    return lambda: Nursery(child_main, name=name)


def recipe_of(data: FragmentData) -> bytes:
    """Return how to make *data* elsewhere; a pickled error if it cannot be."""
    driver = data.driver
    bound = getattr(data.callback, "__self__", None) is driver
    name = data.callback.__name__ if bound and data.callback is not None else data.name
    try:
        pickled = pickle.dumps((type(driver), driver.test_env))
    except Exception as error:  # noqa: BLE001 - foreign __reduce__
        pickled = pickle.dumps(f"{type(error).__name__}: {error}")
    return messages.encode(Recipe(data.uid, name, pickled, data.callback_by_name or bound))


def main(argv: list[str]) -> None:
    """Be the worker of a slot: ``SLOT CHANNEL_FD SETUP_FD``."""
    slot, channel_fd, setup_fd = map(int, argv)
    with open(setup_fd, "rb") as file:
        setup = msgspec.msgpack.decode(file.read(), type=Setup)
    sys.path[:] = setup.sys_path
    if setup.main:
        _import_main(setup.main)
    kitchen = _Kitchen(_unpacked(setup.env))
    warm_process.serve(slot, socket.socket(fileno=channel_fd), kitchen.fragment_of)


class _Kitchen:
    """Makes fragments from recipes; the driver of a test that goes on is made once."""

    def __init__(self, env: Any) -> None:
        self._env = env
        self._driver: Any = None
        self._dough = b""

    def fragment_of(self, order: Order) -> FragmentData:
        recipe = msgspec.msgpack.decode(order.recipe, type=Recipe)
        if self._driver is None or recipe.driver != self._dough:
            made = pickle.loads(recipe.driver)  # noqa: S301 - from the main process of this run
            self._driver = _Hopeless(made) if isinstance(made, str) else made[0](self._env, made[1])
            self._dough = recipe.driver
        driver = self._driver
        if not order.continues:
            self._driver = None
        if recipe.by_name or isinstance(driver, _Hopeless):
            callback = getattr(driver, recipe.name)
            return FragmentData(recipe.uid, driver, recipe.name, callback, callback_by_name=True)
        dag = DAG()
        driver.add_test(dag)
        data: FragmentData = dag.vertex_data[recipe.uid]
        return data


class _Hopeless:
    """Stands in for a driver that cannot be sent."""

    on_push = None

    def __init__(self, why: str) -> None:
        self._why = why

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def raise_it(_previous: dict[str, Any], _slot: int) -> None:
            raise RuntimeError(
                f"this test cannot be sent to a fresh interpreter, use --start-method=fork: "
                f"{self._why}"
            )

        return raise_it


def _packed(env: Any) -> dict[str, bytes]:
    """Return the attributes of an `e3.env.Env`; what cannot be pickled is left behind."""
    packed = {}
    for name, value in env.to_dict().items():
        if name not in _ENV_OF_PROCESS:
            with contextlib.suppress(Exception):
                packed[name] = pickle.dumps(value)
    return packed


def _unpacked(packed: dict[str, bytes]) -> Env:
    env = Env()
    known = env.to_dict()
    for name, data in packed.items():
        value = pickle.loads(data)  # noqa: S301 - from the main process of this run
        if name not in known or known[name] != value:
            setattr(env, name, value)
    return env


def _main_script() -> str:
    """Return the path of the main script if classes may be defined in it."""
    script = sys.modules["__main__"]
    path = getattr(script, "__file__", None)
    is_module = getattr(script, "__spec__", None) is not None
    return os.path.abspath(path) if path and not is_module else ""


def _import_main(path: str) -> None:
    """Let ``__main__`` be the run's main script, so that classes defined there are found."""
    module = types.ModuleType(_MAIN_ALIAS)
    module.__dict__.update(runpy.run_path(path, run_name=_MAIN_ALIAS))
    for value in list(vars(module).values()):
        if getattr(value, "__module__", None) == _MAIN_ALIAS:
            value.__module__ = "__main__"
    sys.modules["__main__"] = sys.modules[_MAIN_ALIAS] = module
    if importlib.import_module("__main__") is not module:
        raise InternalError("the main script was not imported")


if __name__ == "__main__":
    main(sys.argv[1:])
