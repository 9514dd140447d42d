"""Runs the examples of the documentation, page by page, as a reader would who types them in.

What is done with a fenced block is told by its language and by what stands right above it:

- a line with nothing but a name in backquotes and a colon: it is written to the file of that name,
  relative to the directory of the page's story
- ``<!-- not run: WHY -->``: nothing
- otherwise ``console``: lines that begin with ``$`` are run by bash (those with ``>`` go on), and
  what stands below is what they print: numbers that differ from run to run are masked, and a
  line ``...`` stands for any lines.  A command that shows nothing must succeed, unless the next
  one is ``echo $?``.
- otherwise ``python``, ``yaml``, ``toml``: run, or read as testloom would; ``py`` (signatures) is not

``<!-- start anew -->`` begins another story, in a directory of its own; ``<!-- needs: PROGRAM -->``
names a program without which the page is skipped.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from testloom.drivers.command_spec import parse
from testloom.suite.config import load_config

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
HOME = "/home/you/suite"
"""Where readers are supposed to be."""
MARK = "@@ended@@"
BLOCK = re.compile(
    r"^<!-- (?P<anew>start anew) -->$"
    r"|(?:^`(?P<file>[\w./-]+)`:\n\n|(?P<skip>^<!-- not run: [^\n]* -->\n))?"
    r"^(?P<ticks>```+)(?P<language>\S*)\n(?P<body>.*?)^(?P=ticks)$",
    re.MULTILINE | re.DOTALL,
)
NEEDED = re.compile(r"^<!-- needs: (\S+) -->$", re.MULTILINE)
SHOWN_ONLY = {"text", "json", "xml", "py", "{toctree}"}
MASKS = (
    (r"\b\d{8}-\d{6}-[0-9a-f]{5}\b", "RUN"),
    (r"\b\d+\.\d+ ?s\b", "TIME"),
    (r"\b\d+ MiB\b", "N MiB"),
    (r"\btestloom-[a-z0-9_]{8}\b", "testloom-XXXXXXXX"),
    (r"\b\d+ slots?, \S+$", "N slots, PLATFORM"),
    (r"\bslot \d+ ", "slot N "),
    (r"^ Slowest .*", " Slowest"),
    (r" \(pid \d+, .*$", " (pid)"),
    (r"([─═])+", r"\1"),
    (r"[ \t]+$", ""),
)


class Block(NamedTuple):
    """A fenced block of a page, or the beginning of a new story."""

    line: int
    language: str
    marker: str
    """``file``, ``not run``, ``start anew``, or nothing."""
    file: str
    body: str


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        if found["anew"]:
            yield Block(line, "", "start anew", "", "")
        else:
            marker = "file" if found["file"] else "not run" if found["skip"] else ""
            yield Block(line, found["language"], marker, found["file"] or "", found["body"])


def is_run(block: Block) -> bool:
    return block.marker in {"", "file"} and block.language not in SHOWN_ONLY


RUN_PAGES = [page for page in PAGES if any(map(is_run, blocks(page)))]


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_examples_of_a_page_do_what_it_says(page: Path, tmp_path: Path) -> None:
    for program in NEEDED.findall(page.read_text(encoding="utf-8")):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program!r}, which is not on PATH")
    story = 0
    place = _place(tmp_path, story)
    for block in blocks(page):
        where = f"{page.relative_to(ROOT)}:{block.line}"
        if block.marker == "start anew":
            story += 1
            place = _place(tmp_path, story)
        elif block.marker == "file":
            path = place / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.body, encoding="utf-8")
        elif is_run(block):
            _follow(block, place, tmp_path, where)


def test_every_block_is_of_a_kind_that_is_checked() -> None:
    known = {"console", "python", "yaml", "toml", *SHOWN_ONLY}
    odd = [
        f"{page.relative_to(ROOT)}:{block.line}: {block.language or 'no language'}"
        for page in PAGES
        for block in blocks(page)
        if block.marker == "" and block.language not in known
    ]
    assert odd == []


def _place(tmp_path: Path, story: int) -> Path:
    place = tmp_path / f"story-{story}" / os.path.basename(HOME)
    place.mkdir(parents=True)
    return place


def _follow(block: Block, place: Path, tmp_path: Path, where: str) -> None:
    match block.language:
        case "console":
            _run_console(block.body, place, tmp_path, where)
        case "python":
            ended = _bash(f"python3 - <<'EOF'\n{block.body}\nEOF\n", place, tmp_path)
            assert ended.returncode == 0, f"{where}: {ended.stdout}"
        case "yaml":
            said = yaml.safe_load(block.body)
            if isinstance(said, dict) and "cmd" in said:
                parse(said)
        case "toml":
            (tmp_path / "testloom.toml").write_text(block.body, encoding="utf-8")
            load_config(str(tmp_path / "testloom.toml"))
        case other:
            pytest.fail(f"{where}: nobody knows what to do with {other!r}")


def _run_console(body: str, place: Path, tmp_path: Path, where: str) -> None:
    commands = list(_commands(body))
    script = "".join(
        f"{command}\n_status=$?; echo; echo {MARK} $_status; (exit $_status)\n"
        for command, _ in commands
    )
    printed = _bash(script, place, tmp_path).stdout.replace(str(place), HOME)
    printed = printed.replace(str(tmp_path / "temp"), "/tmp")
    parts = re.split(rf"\n{MARK} (\d+)\n", printed)
    followers = [command for command, _ in commands[1:]] + [""]
    for number, (command, shown) in enumerate(commands):
        output, status = parts[2 * number], int(parts[2 * number + 1])
        if shown:
            assert _is_like(output, shown), f"{where}: $ {command}\nprinted\n{output}"
        elif followers[number] != "echo $?":
            assert status == 0, f"{where}: $ {command}\nexit status {status}\n{output}"


def _commands(body: str) -> Iterator[tuple[str, str]]:
    """Yield each command and what is shown below it."""
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        command = [lines.pop(0)]
        while lines and lines[0].startswith("> "):
            command.append(lines.pop(0)[2:])
        yield "\n".join(command), "\n".join(lines).strip("\n")


def _bash(script: str, place: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    bin_dir, temp = tmp_path / "bin", tmp_path / "temp"
    if not bin_dir.exists():
        bin_dir.mkdir()
        temp.mkdir()
        # As where testloom is installed, and no other plugin.
        ours = "-P -m pytest --disable-plugin-autoload -p testloom.pytest_plugin"
        for name, args in (("testloom", "-P -m testloom"), ("python3", ""), ("pytest", ours)):
            shim = bin_dir / name
            shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" {args} "$@"\n')
            shim.chmod(0o755)
    foreign = re.compile(r"TESTLOOM|CI$|GITHUB|NO_COLOR|FORCE_COLOR|CLICOLOR|PYTHON")
    kept = {name: value for name, value in os.environ.items() if not foreign.match(name)}
    return subprocess.run(
        ["bash", "-c", script],
        cwd=place,
        env=kept | {"PATH": f"{bin_dir}:{kept['PATH']}", "TMPDIR": str(temp), "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def _is_like(output: str, shown: str) -> bool:
    """Tell whether *output* is what is *shown*, but for what differs from run to run."""
    parts = re.split(r"^\.\.\.$\n?", _masked(shown), flags=re.MULTILINE)
    pattern = r"(?:.*\n)*?".join(map(re.escape, parts))
    return re.fullmatch(pattern, _masked(output)) is not None


def _masked(text: str) -> str:
    text = text.strip("\n") + "\n"
    for pattern, replacement in MASKS:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    return text
