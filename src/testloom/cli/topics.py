"""``testloom help TOPIC``: what no option explains, on one screen each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from testloom.model.errors import UsageError, nearest
from testloom.suite.options import build_parser

COMMANDS: Final = """\
Commands
  testloom [run] | list [PATH...]      run tests, or show what would run
  testloom report FORMAT[=PATH]...     write reports of a run that is over
  testloom show | shell TEST           look at a failure, or go where it happened
  testloom replay | compare | history  show a run again, what changed, what was before
  testloom archive | merge FILE.zip... carry a run elsewhere, make one run of several
  testloom baseline ACTION             review, list, accept, reject outputs that differ
  testloom e3 SCRIPT [ARG...]          run a suite written for e3-testsuite, unchanged
  testloom help TOPIC                  config, environment, exit-codes, reports, selection, statuses
"""

EXIT_CODES: Final = """\
What testloom exits with

  0  every selected test has a result that is not bad: nothing FAILed, there was no ERROR
  1  at least one test FAILed or ended in ERROR (--failure-exit-code sets another number); with
     --fail-on new, one that is not known to
  2  stopped early, by --max-failures or a like limit
  3  something is wrong in testloom itself, or a report or the output could not be written
  4  the command line, the environment or a configuration file makes no sense; nothing ran
  5  no test was selected

A run that is ended by a signal cleans up, writes its reports and dies by that signal: a shell
shows 130 for Ctrl-C (SIGINT) and 143 for SIGTERM; and 141 if the reader of the output has gone
away, as in "testloom | head -n 1".
"""

STATUSES: Final = """\
What a result says about its test

  PASS            it did what was expected
  FAIL            it did something else; makes the run fail
  XFAIL           it failed, as its control said it would
  XPASS           it passed, although its control said it would fail
  VERIFY          it ran, and a person has to look at what it did
  SKIP            it did not run, on purpose
  NOT_APPLICABLE  it makes no sense in this set-up
  ERROR           it could not be run to an end that means anything; makes the run fail

The last line of a run counts PASS, XPASS and VERIFY as passed, FAIL and ERROR as failed, the
others as skipped.
"""

REPORTS: Final = """\
Reports: --report FORMAT[=PATH] of a run, or testloom report FORMAT[=PATH] afterwards

  html          one page for people: tests, failures by cause, diffs, timeline, history
  markdown      for comments and summaries
  text          for a terminal or mail
  junit         for build servers, all of which take it: valid by the schema of Jenkins' plugins
  junit-full    the same with files, lines, times and properties of tests, for those that look for
                them: GitLab, GitHub, Azure, Buildkite, Datadog
  ctrf          JSON that tools of many frameworks exchange
  json          all that is known, for programs
  tap, tap14    for prove and other harnesses
  github        annotations for the files of a pull request; come by themselves on GitHub
  gaia          a directory in GAIA's form
  trace         what each slot did when, for Perfetto or Chrome

Without PATH a report goes to the directory of the run; PATH - is the standard output. Plugins
add formats. A report that cannot be written makes the exit status 3; the others are written.
"""

CONFIG: Final = """\
The configuration: testloom.toml, or [tool.testloom] in pyproject.toml

The nearest one upwards counts; in one directory, testloom.toml does. Paths in it are relative
to its directory. On the command line, -c FILE names another, -P NAME one of its profiles.

  tests = ["tests"]            # directories that hold tests
  suite = "suite.py:MySuite"   # your own suite class
  default-driver = "diff"      # for tests that name none
  jobs = "auto"                # as --jobs
  timeout = 60                 # as --timeout; seconds, or "none"
  idle-timeout = "none"        # as --idle-timeout
  max-time = "none"            # as --max-time
  output-limit = "10 MB"       # as --output-limit
  output-dir = "out"
  keep-work = "failing"        # none, failing, all
  truncate-logs = 200
  max-consecutive-failures = 0
  retries = 2                  # as --retries
  retry-delay = 1
  retry-budget = 20
  flaky-fails = false
  quarantine = "quarantine.toml" # as --quarantine
  order = "auto"               # as --order: or "slowest-first", "given", "random"
  fail-on = "any"              # or "new"
  known-failures = "known.txt" # what is not new
  reports = ["junit=out/junit.xml"]
  distributor = "slurm:cluster" # as --distributor
  plugins = ["my_plugin"]      # modules with hooks

  [env]                        # added to the environment of every test
  LC_ALL = "C.UTF-8"

  [history]
  path = ".testloom/history.db"  # or the URL of a PostgreSQL database, or "none"
  keep-runs = 200
  keep-days = 90

  [ui]
  reporter = "auto"
  color = "auto"
  durations = 3

  [profile.ci]                 # with -P ci, replaces what it sets
  jobs = 2                     # any key from jobs to reports, reporter, color, durations,
  reporter = "lines"           # and a table [profile.ci.env]

The first of these that says something counts: the command line, the environment (see
'testloom help environment'), the profile, the rest of the file, the default.
"""

SELECTION: Final = """\
Which tests are run

  PATH...          a directory: all tests in it; a test.yaml: that test; anything else: the
                   tests whose directory or name it is a part of. Several: all of these together.
  -k EXPR          of these, the tests whose name matches: words with and, or, not, ( )
  -m, --tags EXPR  of these, the tests whose tags match, in the same way
  --lf             of these, those that failed in the last run or did not get to run
  --last-failed RUN  the same, with another run
  --exclude GLOB   of these, not the tests whose name matches; may be given several times
  --list           show them; --list-format=json shows them as JSON

If nothing is selected, the exit status is 5, and near names are suggested.
"""

_ENVIRONMENT: Final = """\
Variables of the environment

A variable stands for each long option; the command line is stronger, configurations are
weaker. A flag is set by 1, yes, true or on, and not by 0, no, false, off or nothing. An option
that may be given several times takes values separated by blanks. Options that a suite adds
have variables, too.

"""

_ENVIRONMENT_END: Final = """
  TESTLOOM_ROOT  the directory of the suite, where there is no configuration
  NO_COLOR       no colours, unless --color asks for them
"""


def environment() -> str:
    """Return the topic that lists the variables."""
    variables = build_parser("testloom").variables
    wide = max(map(len, variables))
    lines = [f"  {name:<{wide}}  {option}" for name, option in sorted(variables.items())]
    return _ENVIRONMENT + "\n".join(lines) + "\n" + _ENVIRONMENT_END


TOPICS: Final[Mapping[str, Callable[[], str]]] = {
    "config": lambda: CONFIG,
    "environment": environment,
    "exit-codes": lambda: EXIT_CODES,
    "reports": lambda: REPORTS,
    "selection": lambda: SELECTION,
    "statuses": lambda: STATUSES,
}


def show_topic(args: Sequence[str]) -> int:
    """Print the topic that *args* name; without one, what testloom can do."""
    if not args or args[0].startswith("-"):
        sys.stdout.write(build_parser("testloom").short_help() + COMMANDS)
        return 0
    if args[0] not in TOPICS:
        hint = nearest(args[0], TOPICS) or f"; known: {', '.join(TOPICS)}"
        raise UsageError(f"help: there is no topic {args[0]!r}{hint}")
    sys.stdout.write(TOPICS[args[0]]())
    return 0
