"""``testloom archive``: a stored run as one file; ``testloom merge``: one run of several files."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from testloom.cli.stored import CommandParser, output_dir_of
from testloom.journal.archive import pack
from testloom.journal.merging import merge
from testloom.journal.reader import read
from testloom.journal.rundir import JOURNAL, find_run
from testloom.model.errors import UsageError
from testloom.suite.reporting import check_archive
from testloom.suite.shard_options import archive_text

_INCOMPLETE = 3


def archive(args: Sequence[str]) -> int:
    """Write a stored run as one file; return the exit status."""
    parser = CommandParser(
        "archive",
        usage="testloom archive FILE.zip [--run RUN] [-o DIR]",
        description="Write a run as one file, which can be used as RUN on any machine.",
    )
    parser.add_argument("file", metavar="FILE.zip", type=archive_text)
    parser.add_run()
    parser.add_places()
    asked = parser.parse_args(list(args))
    path = os.path.join(find_run(output_dir_of(asked), asked.run), JOURNAL)
    run = read(path).run
    if run is None:
        raise UsageError(f"{path}: holds no run; name another with --run")
    check_archive(asked.file)
    return _written(lambda: pack(path, asked.file, run_id=run.run_id, suite=run.suite), asked.file)


def merge_archives(args: Sequence[str]) -> int:
    """Make one archive of several; return the exit status."""
    parser = CommandParser(
        "merge",
        usage="testloom merge FILE.zip... -o MERGED.zip [--partial]",
        description="Make one run of several: of the shards of a suite, or of parts of it.",
    )
    parser.add_argument("files", metavar="FILE.zip", nargs="+")
    parser.add_argument("-o", "--output", metavar="MERGED.zip", type=archive_text, required=True)
    parser.add_argument("--partial", action="store_true", help="even if a shard is missing")
    asked = parser.parse_args(list(args))
    check_archive(asked.output)
    return _written(lambda: merge(asked.files, asked.output, partial=asked.partial), asked.output)


def _written(write: Callable[[], object], target: str) -> int:
    try:
        write()
    except OSError as error:
        sys.stderr.write(f"testloom: {target}: not written: {error.strerror}\n")
        return _INCOMPLETE
    sys.stderr.write(f"archive: {target}\n")
    return 0
