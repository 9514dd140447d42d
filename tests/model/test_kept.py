"""What is kept of a failure, as values; that the script runs is shown where drivers write it."""

from __future__ import annotations

import pytest

from testloom.model.kept import (
    KeptFailure,
    KeptProgram,
    PendingBaseline,
    decode,
    digest,
    encode,
    repro_script,
)

FAILURE = KeptFailure(
    test="a/b",
    status="FAIL",
    message="stdout differs",
    test_dir="/suite/a b",
    working_dir="/tmp/w/a-b",
    environment={"LC_ALL": "C.UTF-8"},
    programs=(
        KeptProgram(argv=("make", "x y"), cwd="/tmp/w/a-b/sub", env={"A": "it's", "PATH": None}),
        KeptProgram(argv=("./prog",), cwd="/elsewhere", stdin="stdin-2"),
    ),
)


def baseline(difference: str) -> PendingBaseline:
    return PendingBaseline(path="t/test.out", actual="actual-1", before="", difference=difference)


def test_what_was_written_is_read() -> None:
    assert decode(encode(FAILURE)) == FAILURE


def test_what_is_no_text_does_not_keep_the_rest_from_being_written() -> None:
    odd = KeptFailure(
        test="a\udcff", status="FAIL", message="", test_dir="/t", working_dir="", programs=()
    )
    assert decode(encode(odd)).test == "a?"


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"\xff", b'{"test": 1}'])
def test_something_else_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        decode(data)


def test_the_script_says_what_to_run_where_and_with_what() -> None:
    assert repro_script(FAILURE, "/out/failures/a-b") == (
        "#!/bin/sh\n"
        "# a/b: FAIL: stdout differs\n"
        "# Runs again what the test ran, and ends as the last program does.\n"
        "#   sh repro.sh [DIRECTORY]    in DIRECTORY instead of where the test worked\n"
        "set -u\n"
        "test_dir='/suite/a b'\n"
        "work=${1-/tmp/w/a-b}\n"
        'if [ ! -d "$work" ]; then\n'
        "    work=$(mktemp -d) || exit\n"
        '    cp -R "$test_dir/." "$work" || exit\n'
        '    echo "in a copy of the test: $work" >&2\n'
        "fi\n"
        "export LC_ALL=C.UTF-8\n"
        "status=0\n"
        "\n"
        "echo '$ make '\"'\"'x y'\"'\"'' >&2\n"
        "(\n"
        '    cd "$work"/sub || exit\n'
        "    export A='it'\"'\"'s'\n"
        "    unset PATH\n"
        "    exec make 'x y' </dev/null\n"
        ")\n"
        "status=$?\n"
        "\n"
        "echo '$ ./prog' >&2\n"
        "(\n"
        "    cd /elsewhere || exit\n"
        "    exec ./prog </out/failures/a-b/stdin-2\n"
        ")\n"
        "status=$?\n"
        "\n"
        "exit $status\n"
    )


def test_names_cannot_break_out_of_the_comments() -> None:
    evil = KeptFailure(
        test="x\nrm -rf /\r",
        status="FAIL",
        message="\u2028\x00",
        test_dir="/t",
        working_dir="",
        programs=(KeptProgram(argv=("true",), cwd="/", env={"a;b\nc": "1"}),),
    )
    lines = repro_script(evil, "/f").splitlines()
    assert lines[1] == r"# x\x0arm -rf /\x0d: FAIL: \u2028\x00"
    assert r"    # not a name that a shell can set: a;b\x0ac" in lines


def test_equal_changes_are_equal_wherever_they_are() -> None:
    one = baseline("--- expected\n+++ output\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n")
    other = baseline("--- expected\n+++ output\n@@ -7,2 +7,2 @@\n x\n-b\n+c\n")
    different = baseline("--- expected\n+++ output\n@@ -7,2 +7,2 @@\n x\n-b\n+d\n")
    assert one.change == other.change != different.change


def test_a_digest_tells_contents_apart() -> None:
    assert digest(b"a") == digest(b"a") != digest(b"b")
