"""Makes the suite that a project has written itself: imports its file, finds its class."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
from types import ModuleType
from typing import Any

from testloom.model.errors import UsageError, nearest
from testloom.suite.config import Config


def project_suite(config: Config) -> Any:
    """Return an instance of the class that *config* names.

    Raises:
        UsageError: the file cannot be imported, or has no such class.
    """
    assert config.suite is not None
    file, name = config.suite
    where = f"{config.where('suite')}: suite"
    module = _imported(file, where)
    cls: Any = getattr(module, name, None)
    if not inspect.isclass(cls) or not hasattr(cls, "testsuite_main"):
        known = [
            key
            for key, value in vars(module).items()
            if inspect.isclass(value) and hasattr(value, "testsuite_main")
        ]
        hint = nearest(name, known) or f"; it has {', '.join(known) or 'none'}"
        raise UsageError(f"{where}: {file} has no suite class {name!r}{hint}")
    make: Any = cls  # a suite of e3-testsuite need not be one of our class
    if _takes_config(make):
        return make(config=config)
    suite = make()  # its own constructor is older than configurations
    suite.config = config
    return suite


def _imported(file: str, where: str) -> ModuleType:
    """Import *file* as a module that fresh interpreters can import by its name, too."""
    if not os.path.isfile(file):
        raise UsageError(f"{where}: there is no file {file!r}; name another")
    directory, name = os.path.dirname(file), os.path.basename(file).removesuffix(".py")
    loaded = sys.modules.get(name)
    if loaded is not None:
        if _same_file(getattr(loaded, "__file__", None), file):
            return loaded
        raise UsageError(f"{where}: a module called {name!r} exists already; rename {file}")
    if directory not in sys.path:
        sys.path.insert(0, directory)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, Exception | SystemExit):
            raise UsageError(
                f"{file}{_line_in(file, error)}: cannot be imported: "
                f"{type(error).__name__}: {error}; -v shows where"
            ) from error
        raise
    return module


def _same_file(one: str | None, other: str) -> bool:
    return one is not None and os.path.exists(one) and os.path.samefile(one, other)


def _line_in(file: str, error: BaseException) -> str:
    """Return ``:LINE`` of the last line of *file* that led to *error*."""
    if isinstance(error, SyntaxError) and error.filename == file:
        return f":{error.lineno}"
    found, step = "", error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == file:
            found = f":{step.tb_lineno}"
        step = step.tb_next
    return found


def _takes_config(cls: type[Any]) -> bool:
    parameters = inspect.signature(cls).parameters.values()
    return any(p.name == "config" or p.kind is p.VAR_KEYWORD for p in parameters)
