"""Slots' processes that are fresh interpreters: nothing is inherited, everything is told.

For platforms without ``fork`` and for code that does not survive one.  Drivers must be
importable, or live in the main script, which is imported again under another name (its
``if __name__ == "__main__":`` part does not run).  The driver is made anew in the worker; a
callback that is not one of its methods is found by letting the driver add its fragments to a
graph of its own there.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import runpy
import socket
import sys
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec
from e3.collection.dag import DAG

from testloom.model.fragment import FragmentData
from testloom.processes import exec_self
from testloom.processes.nursery import Nursery
from testloom.processes.system import new_env
from testloom.workers import messages, warm_process
from testloom.workers.messages import Order

if TYPE_CHECKING:
    from e3.env import Env

_MAIN_ALIAS: Final = "__testloom_main__"
_ENV_OF_PROCESS: Final = frozenset({"environ", "cwd"})
"""What of the environment is the process's own and inherited anyway."""


class Setup(msgspec.Struct, array_like=True):
    """What a fresh interpreter has to know before it can take orders."""

    sys_path: list[bytes]
    main: bytes
    """Path of the main script; empty if there is none or drivers cannot live there."""
    main_module: str
    """Or the name of the module that was run with ``-m``."""
    env: dict[str, bytes]
    """The attributes of the suite's environment, each pickled."""


class Recipe(msgspec.Struct, array_like=True):
    """How to make a fragment."""

    uid: bytes
    """As `messages.packed_name` gives it."""
    name: bytes
    """In the same way."""
    method: str
    """Which method of the driver it is; empty if it is not one."""
    driver: bytes
    """Its class and ``test_env``, or why they cannot be sent, pickled."""


def spawning(
    env: Any, *, name: str, with_threads: bool = False, isolated: bool = False
) -> Callable[[], Nursery]:
    """Return what makes the nursery of a `WarmPool` whose workers are fresh interpreters."""
    setup = messages.encode(setup_of(env))

    def child_main(slot: int, channel: socket.socket) -> None:
        channel_fd, setup_fd = channel.detach(), exec_self.file_in_memory(setup)
        arguments = slot, channel_fd, setup_fd
        exec_self.replace_by_module(__name__, arguments, keep=(channel_fd, setup_fd))

    return lambda: Nursery(child_main, name=name, with_threads=with_threads, isolated=isolated)


def setup_of(env: Any) -> Setup:
    """Return what a fresh interpreter has to know to take orders of this process."""
    path, module = _main_script()
    return Setup(
        [os.fsencode(place) for place in sys.path], os.fsencode(path), module, _packed(env)
    )


def recipe_of(data: FragmentData) -> bytes:
    """Return how to make *data* elsewhere."""
    driver = data.driver
    is_bound = getattr(data.callback, "__self__", None) is driver
    method = getattr(data.callback, "__name__", "") if is_bound else ""
    try:
        pickled = pickle.dumps((type(driver), driver.test_env))
    except Exception as error:  # noqa: BLE001 - foreign __reduce__
        pickled = pickle.dumps(f"{type(error).__name__}: {error}")
    if data.callback_by_name:
        method = data.name
    uid, name = messages.packed_name(data.uid), messages.packed_name(data.name)
    return messages.encode(Recipe(uid, name, method, pickled))


def main(argv: list[str]) -> None:
    """Be the worker of a slot: ``SLOT CHANNEL_FD SETUP_FD``."""
    slot, channel_fd, setup_fd = map(int, argv)
    with open(setup_fd, "rb") as file:
        setup = msgspec.msgpack.decode(file.read(), type=Setup)
    os.set_inheritable(channel_fd, False)
    serve(setup, slot, socket.socket(fileno=channel_fd))


def serve(setup: Setup, slot: int, channel: socket.socket) -> None:
    """Take the orders that come over *channel*, in a process that has inherited nothing."""
    sys.path[:] = map(os.fsdecode, setup.sys_path)
    if setup.main:
        _import_main(runpy.run_path(os.fsdecode(setup.main), run_name=_MAIN_ALIAS))
    elif setup.main_module:
        _import_main(runpy.run_module(setup.main_module, run_name=_MAIN_ALIAS))
    kitchen = _Kitchen(_unpacked(setup.env))
    warm_process.serve(slot, channel, kitchen.fragment_of)


class _Kitchen:
    """Makes fragments from recipes; the driver of a test that goes on is made once."""

    def __init__(self, env: Any) -> None:
        self._env = env
        self._driver: Any = None
        self._dough = b""

    def fragment_of(self, order: Order) -> FragmentData:
        """Return the fragment; if it cannot be made, one that raises the reason."""
        recipe = msgspec.msgpack.decode(order.recipe, type=Recipe)
        try:
            return self._made(recipe)
        except Exception as error:  # noqa: BLE001 - foreign modules, constructors and `add_test`
            return _raising(recipe, error)
        finally:
            if not order.continues:
                self._driver = None

    def _made(self, recipe: Recipe) -> FragmentData:
        if self._driver is None or recipe.driver != self._dough:
            made = pickle.loads(recipe.driver)  # noqa: S301 - from the main process of this run
            if isinstance(made, str):
                raise RuntimeError(
                    f"this test cannot be sent to a fresh interpreter, "
                    f"use --start-method=fork: {made}"
                )
            self._driver = made[0](self._env, made[1])
            self._dough = recipe.driver
        driver = self._driver
        if recipe.method:
            return _fragment(recipe, driver, getattr(driver, recipe.method))
        dag = DAG()
        driver.add_test(dag)
        data: FragmentData = dag.vertex_data[messages.unpacked_name(recipe.uid)]
        return data


def _raising(recipe: Recipe, error: Exception) -> FragmentData:
    def callback(_previous: dict[str, Any], _slot: int) -> None:
        raise error

    return _fragment(recipe, types.SimpleNamespace(on_push=None), callback)


def _fragment(recipe: Recipe, driver: Any, callback: Callable[..., Any]) -> FragmentData:
    uid, name = messages.unpacked_name(recipe.uid), messages.unpacked_name(recipe.name)
    return FragmentData(uid, driver, name, callback, callback_by_name=False)


def _packed(env: Any) -> dict[str, bytes]:
    """Return the attributes of an `e3.env.Env`; what cannot be pickled is left behind."""
    packed = {}
    for name, value in env.to_dict().items():
        if name not in _ENV_OF_PROCESS:
            with contextlib.suppress(Exception):
                packed[name] = pickle.dumps(value)
    return packed


def _unpacked(packed: dict[str, bytes]) -> Env:
    env = new_env()
    known = env.to_dict()
    for name, data in packed.items():
        value = pickle.loads(data)  # noqa: S301 - from the main process of this run
        if name not in known or known[name] != value:
            setattr(env, name, value)
    return env


def _main_script() -> tuple[str, str]:
    """Return the path of the main script, or the name of the main module."""
    script = sys.modules["__main__"]
    spec = getattr(script, "__spec__", None)
    if spec is not None:
        # Those of packages run whatever they are called.
        return "", "" if spec.name.rpartition(".")[2] == "__main__" else spec.name
    path = getattr(script, "__file__", None)
    return os.path.abspath(path) if path else "", ""


def _import_main(names: dict[str, Any]) -> None:
    """Let ``__main__`` be what the run's main script has made, so that its classes are found."""
    module = types.ModuleType(_MAIN_ALIAS)
    module.__dict__.update(names)
    for value in list(vars(module).values()):
        if getattr(value, "__module__", None) == _MAIN_ALIAS:
            value.__module__ = "__main__"
    sys.modules["__main__"] = sys.modules[_MAIN_ALIAS] = module


if __name__ == "__main__":
    main(sys.argv[1:])
