"""What a figure is worth nothing without: where and on what it was measured."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The machine, as far as it matters for starting processes and writing files."""

    processor: str
    cores: int
    memory_mb: int
    kernel: str
    python: str
    file_system: str
    """That of the directory the work is done in."""
    date: str

    def lines(self) -> list[str]:
        """Return the whole as lines for people."""
        return [f"{name.replace('_', ' ')}: {value}" for name, value in asdict(self).items()]


def describe(work: Path) -> Machine:
    """Describe this machine, on which the directory *work* is used."""
    return Machine(
        processor=_first(r"model name\s*: (.*)", "/proc/cpuinfo") or platform.processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_mb=int(_first(r"MemTotal:\s+(\d+)", "/proc/meminfo") or 0) // 1024,
        kernel=platform.release(),
        python=platform.python_version(),
        file_system=_file_system(work),
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def load() -> str:
    """Return the load averages of the last one, five and fifteen minutes."""
    return " ".join(f"{average:.2f}" for average in os.getloadavg())


def _first(pattern: str, path: str) -> str:
    found = re.search(pattern, Path(path).read_text())
    return found[1] if found else ""


def _file_system(path: Path) -> str:
    mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
    holding = [(point, kind) for point, kind in mounts if path.resolve().is_relative_to(point)]
    return max(holding, key=lambda mount: len(mount[0]))[1]
