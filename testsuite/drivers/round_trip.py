"""Packs files and unpacks them again: four fragments, one after the other.

Shows: `BasicTestDriver`; how a fragment learns what the one before returned (``prev``), and that
what a fragment sets on its driver is there in those that follow; a driver that raises to say
what went wrong; ``info`` of a result.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import hashlib
import lzma
import os
import random
import shutil
import tarfile
import zlib
from collections.abc import Callable
from typing import Any

from testloom.drivers import BasicTestDriver, TestStatus


def _archive(kind: str) -> Callable[[str, str, str], None]:
    """Return what packs directory *source* into *packed* and unpacks that to *target*."""

    def there_and_back(source: str, packed: str, target: str) -> None:
        path = shutil.make_archive(packed, kind, root_dir=source)
        options = {"filter": "data"} if kind != "zip" and hasattr(tarfile, "data_filter") else {}
        shutil.unpack_archive(path, target, kind, **options)

    return there_and_back


def _codec(pack: Callable[[bytes], bytes], unpack: Callable[[bytes], bytes]) -> Any:
    """Return the same for a pair of functions on bytes: each file is packed by itself."""

    def there_and_back(source: str, packed: str, target: str) -> None:
        for folder in (packed, target):
            os.makedirs(folder)
        for name in sorted(os.listdir(source)):
            with open(f"{source}/{name}", "rb") as file, open(f"{packed}/{name}", "wb") as other:
                other.write(pack(file.read()))
            with open(f"{packed}/{name}", "rb") as file, open(f"{target}/{name}", "wb") as other:
                other.write(unpack(file.read()))

    return there_and_back


FORMATS: dict[str, Callable[[str, str, str], None]] = {
    "tar": _archive("tar"),
    "gztar": _archive("gztar"),
    "bztar": _archive("bztar"),
    "xztar": _archive("xztar"),
    "zip": _archive("zip"),
    "gzip": _codec(gzip.compress, gzip.decompress),
    "bz2": _codec(bz2.compress, bz2.decompress),
    "lzma": _codec(lzma.compress, lzma.decompress),
    "zlib": _codec(zlib.compress, zlib.decompress),
    "base64": _codec(base64.encodebytes, base64.decodebytes),
    "base85": _codec(base64.b85encode, base64.b85decode),
}


class RoundTripDriver(BasicTestDriver):
    """Makes files of ``sizes`` bytes; packs and unpacks them as ``format`` says."""

    def set_up(self, prev: dict[str, Any], slot: int) -> dict[str, str]:
        """Make the files; return the digest of each."""
        os.makedirs(self.working_dir("source"))
        generator = random.Random(self.test_name)  # the same files in each run
        for number, size in enumerate(self.test_env["sizes"]):
            with open(self.working_dir("source", f"{number}.bin"), "wb") as file:
                file.write(bytes(generator.choices(b"abcdefgh \n\x00\xff", k=size)))
        self.made_in_slot = slot
        return digests(self.working_dir("source"))

    def run(self, prev: dict[str, Any], slot: int) -> dict[str, dict[str, str]]:
        """Pack and unpack; return the digests before and after."""
        there_and_back = FORMATS[self.test_env["format"]]
        packed, unpacked = self.working_dir("packed"), self.working_dir("unpacked")
        there_and_back(self.working_dir("source"), packed, unpacked)
        self.result.info["slots"] = "one" if slot == self.made_in_slot else "two"
        return {"before": prev["set_up"], "after": digests(unpacked)}

    def analyze(self, prev: dict[str, Any], slot: int) -> None:
        """Push the result: all files have to be there, and to be the same."""
        seen = prev["run"]
        if isinstance(seen, Exception):
            raise seen  # `run` failed; its traceback becomes the result
        if seen["before"] == seen["after"]:
            self.result.set_status(TestStatus.PASS)
        else:
            changed = sorted(dict(seen["before"].items() ^ seen["after"].items()))
            self.result.set_status(TestStatus.FAIL, f"not what they were: {', '.join(changed)}")
        self.push_result()

    def tear_down(self, prev: dict[str, Any], slot: int) -> None:
        """Remove the files."""
        shutil.rmtree(self.working_dir())


def digests(directory: str) -> dict[str, str]:
    """Return the SHA-256 of each file in *directory*."""
    found = {}
    for name in sorted(os.listdir(directory)):
        with open(os.path.join(directory, name), "rb") as file:
            found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
