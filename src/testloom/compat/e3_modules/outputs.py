"""Files in the directory of results that tell of a run as a whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from typing import Any

from testloom.compat.e3_modules import display
from testloom.compat.e3_modules.index import ReportIndex
from testloom.compat.e3_modules.results import status_color
from testloom.compat.e3_modules.utils import ColorConfig
from testloom.processes.files import write_whole
from testloom.scheduling.graph import Graph


def summary(index: ReportIndex, colors: ColorConfig) -> str:
    """Return how many results there are of each status, for people."""
    counts = display.sorted_counters(index.status_counters, lambda status: status.value)
    lines = [
        f"  {status_color(status, colors)}{status.name:<12}{colors.Style.RESET_ALL} {count}"
        for status, count in counts
    ]
    return "\n".join(["Summary:", *(lines or ["  <no test result>"])])


def write_dot(path: str, uids: Iterable[str], graph: Graph) -> None:
    """Draw *graph*, whose fragments are *uids*, for Graphviz."""
    lines = ["digraph G {", 'rankdir="LR";']
    lines += [f'"{uid}"' for uid in uids]
    lines += [
        f'"{uid}" -> "{before}"'
        for uid, befores in graph.vertex_predecessors_items()
        for before in sorted(befores)
    ]
    write_whole(path, "\n".join([*lines, "}"]))


def store_env(env: Any, path: str) -> None:
    """Write the environment where programs of the suite may look for it."""
    with contextlib.suppress(Exception):  # what cannot be pickled is not for them
        os.makedirs(os.path.dirname(path), exist_ok=True)
        env.store(path)


def write_text_report(index: ReportIndex, old_dir: str | None) -> None:
    """Write the file ``report``: the results of *index*, compared with those in *old_dir*."""
    old = None
    if old_dir is not None:
        with contextlib.suppress(OSError, ValueError, LookupError, AssertionError):
            old = ReportIndex.read(old_dir)
    path = os.path.join(index.results_dir, "report")
    with open(path, "w", encoding="utf-8", errors="backslashreplace") as file:
        display.generate_report(
            output_file=file,
            new_index=index,
            old_index=old,
            colors=ColorConfig(colors_enabled=False),
            show_all_logs=False,
            show_xfail_logs=True,
            show_error_output=True,
            show_time_info=True,
        )
