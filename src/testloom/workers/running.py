"""Runs one fragment: calls its callback and turns whatever happens into a report.

Used by every kind of worker, in the process in which the fragment runs.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import resource
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from testloom.model import records
from testloom.model.errors import FragmentLost, TestAbort
from testloom.model.fragment import FragmentData
from testloom.model.names import encodable
from testloom.processes.clock import SystemClock, cpu_now
from testloom.processes.parcels import Parcels
from testloom.workers import messages
from testloom.workers.messages import KEPT, PARCEL, Report

MAX_VALUE_BYTES = 32 * 1024 * 1024
_MAX_FRAMES = 50
_MAX_TRACEBACK = 64 * 1024
_now = SystemClock.now


class Terminated(BaseException):
    """Raised in a worker that is asked to end, so that what it holds is cleaned up."""


def call(
    data: FragmentData,
    previous_values: dict[str, Any],
    slot: int,
    push: Callable[[bytes], None],
    *,
    attempt: int = 0,
    wanted: bool = True,
    send: Callable[[Any, bytes], bytes] | None = None,
) -> tuple[Report, Any]:
    """Run the fragment; return the report and the value itself.

    *push* is called with each result as the driver pushes it, encoded.  The report has the
    value only if it is *wanted*; *send*, given the value and its pickle, may return something
    in place of a pickle that is too large for a message.
    """
    driver = data.driver
    driver.on_push = lambda item: push(records.encode(item.result))
    report = Report(attempt)
    value: Any = None
    pid, started_at, cpu_before = os.getpid(), _now(), _cpu_s()
    try:
        callback = data.callback if not data.callback_by_name else None
        value = (callback or getattr(driver, data.name))(previous_values, slot)
    except TestAbort:
        report.aborted = True
    except Terminated:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever a driver raises becomes a result
        value = error
        report.raised = _traceback_of(error)
    finally:
        driver.on_push = None
    if os.getpid() != pid:
        _leave_fork(value, report.raised)
    report.wall_s = _now() - started_at
    report.cpu_s = _cpu_s() - cpu_before
    if wanted and value is not None:
        _pickle_into(report, value, send)
    return report, value


def values_for(
    order_values: messages.Values,
    kept: Mapping[str, Any],
    parcels: Parcels | None = None,
) -> dict[str, Any]:
    """Return the values that a fragment is called with."""
    if not order_values:
        return {}
    return {
        (name := messages.unpacked_name(key)): _loaded(name, data, kept, parcels)
        for key, data in order_values.items()
    }


def unpacked(data: bytes, parcels: Parcels | None) -> bytes:
    """Return the pickle that *data* is, or stands for.

    Raises:
        OSError: the parcel cannot be had.
    """
    if parcels is not None and data.startswith(PARCEL):
        return parcels.get(data[len(PARCEL) :].decode())
    return data


def _loaded(name: str, data: bytes | None, kept: Mapping[str, Any], parcels: Parcels | None) -> Any:
    """Return a value, or an exception in its place if it cannot be had."""
    if data is None:
        return None
    if data == KEPT:
        lost = FragmentLost(f"{name}: its value cannot be sent, and the worker that had it is gone")
        return kept.get(name, lost)
    try:
        return pickle.loads(unpacked(data, parcels))  # noqa: S301 - from a process of the same run
    except Terminated:
        raise
    except BaseException as error:  # noqa: BLE001 - foreign classes are made here
        return FragmentLost(
            f"{name}: its value cannot be loaded: {type(error).__name__}: {_str(error)}"
        )


def _pickle_into(report: Report, value: Any, send: Callable[[Any, bytes], bytes] | None) -> None:
    try:
        data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
        if isinstance(value, BaseException):
            # Some exceptions pickle well and cannot be loaded again.
            pickle.loads(data)  # noqa: S301 - our own bytes
        if send is not None:
            data = send(value, data)
    except Terminated:
        raise
    except BaseException as error:  # noqa: BLE001 - a foreign __reduce__ may do anything
        if isinstance(value, BaseException):
            text = f"{type(value).__name__}: {_str(value)}"
            report.value = pickle.dumps(RuntimeError(text))
        else:
            report.unpicklable = f"{type(value).__name__}: {_str(error)}"
        return
    if len(data) > MAX_VALUE_BYTES:
        report.unpicklable = f"{len(data)} bytes, the limit is {MAX_VALUE_BYTES}"
    else:
        report.value = data


def line_of(error: BaseException) -> str:
    """Say in a line what *error* is."""
    return f"{type(error).__name__}: {_str(error)}".partition("\n")[0].rstrip(": ")


def _leave_fork(value: Any, raised: str) -> NoReturn:
    """End a process that the driver has forked and that came back here, as the interpreter does.

    What runs the fragment is its parent: two of them would give two answers, and take orders.
    """
    code = 1 if raised else 0
    if isinstance(value, SystemExit):
        code, raised = value.code if isinstance(value.code, int) else bool(value.code), ""
    with contextlib.suppress(Exception):
        sys.stderr.write(raised)
        sys.stderr.flush()
        sys.stdout.flush()
    os._exit(code)


def _str(value: object) -> str:
    try:
        return encodable(str(value)[:1000])
    except Exception:  # noqa: BLE001 - a foreign __str__
        return "(it cannot be shown)"


def _traceback_of(error: BaseException) -> str:
    """Return the traceback without our own frame, cut where it is absurdly long."""
    own = error.__traceback__
    shown = own.tb_next if own is not None and own.tb_next is not None else own
    try:
        lines = traceback.format_exception(
            type(error), error, shown, limit=-_MAX_FRAMES if _is_deep(shown) else None
        )
        text = "".join(lines)
    except Exception as second:  # noqa: BLE001 - foreign __str__, __repr__, __cause__
        text = f"{type(error).__name__}: (traceback not available: {type(second).__name__})\n"
    if len(text) > _MAX_TRACEBACK:
        half = _MAX_TRACEBACK // 2
        text = f"{text[:half]}\n... {len(text) - 2 * half} characters dropped ...\n{text[-half:]}"
    return encodable(text)


def _is_deep(frame: Any) -> bool:
    for _ in range(2 * _MAX_FRAMES):
        if frame is None:
            return False
        frame = frame.tb_next
    return True


def _cpu_s() -> float:
    """CPU seconds of this process and of the programs it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return cpu_now() + children.ru_utime + children.ru_stime
