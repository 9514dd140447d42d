"""Big logs of an XUnit report, moved to files of their own."""

from __future__ import annotations

import argparse
import dataclasses
import os
import tempfile


@dataclasses.dataclass(frozen=True)
class AttachmentsSettings:
    """Where big logs go."""

    output_dir: str
    relative_root_dir: str
    """Paths in the report are relative to this directory."""
    threshold: int
    """Characters from which on a log is big."""

    def text_of(self, log: str) -> str | None:
        """Write *log* to a file of its own if it is big; return what stands for it, else None."""
        if len(log) < self.threshold:
            return None
        os.makedirs(self.output_dir, exist_ok=True)
        fd, path = tempfile.mkstemp(prefix="attachment-", suffix=".txt", dir=self.output_dir)
        with open(fd, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(log)
        return f"[[ATTACHMENT | {os.path.relpath(path, self.relative_root_dir)}]]"


def add_attachment_options(parser: argparse.ArgumentParser) -> None:
    """Let *parser* know the options for attachments."""
    prefix = "--xunit-attachments-"
    parser.add_argument(f"{prefix}output-dir", metavar="DIR", help="Where big logs go.")
    parser.add_argument(
        f"{prefix}relative-root-dir",
        metavar="DIR",
        default=".",
        help="Paths of big logs in the report are relative to DIR.",
    )
    parser.add_argument(
        f"{prefix}threshold", metavar="N", type=int, help="Size from which on a log is big."
    )


def attachments_of(args: argparse.Namespace) -> AttachmentsSettings | None:
    """Return what parsed options ask for; None if it is nothing.

    Raises:
        ValueError: one of two options that belong together is missing.
    """
    directory = args.xunit_attachments_output_dir
    threshold = args.xunit_attachments_threshold
    if directory is None and threshold is None:
        return None
    for option, value in (("output-dir", directory), ("threshold", threshold)):
        if value is None:
            raise ValueError(f"--xunit-attachments-{option} argument missing")
    return AttachmentsSettings(directory, args.xunit_attachments_relative_root_dir, threshold)
