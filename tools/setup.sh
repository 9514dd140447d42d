# The set-up that ./run-tests and ./check share: a private Python environment, made on first use.
#
# Sourced by a POSIX sh script (dash will do) that has put the repository's absolute path in `root`:
#
#     environment run requirements.lock
#
# sets `python` to the interpreter of an environment that holds what the lock file names.  Once
# there, that costs one cksum and starts no Python.  Whatever goes wrong is told on stderr and ends
# the script with 70, or by the signal that stopped it.
#
#     .run-tests/venv-run-<stamp> -> env-<pid>    complete, because the link is made last
#     .run-tests/lock-run -> <pid>                who is setting up; spares others the work
#     .run-tests/setup-run.log                    what the last set-up printed
#
# The stamp is taken from the lock file, pyproject.toml and this set-up itself, never from sources.
# Not `.venv`: that belongs to the user's editor.  What users may set: PYTHON (the interpreter to
# build upon), RUN_TESTS_ALLOW_BUILD=1 (compile packages that have no wheel for this machine), and
# all that pip and uv read themselves.

# Seen to leak into the environment, and to break `venv` itself.
unset PYTHONHOME PYTHONPATH

say() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
}

give_up() {
    say "$@"
    exit 70
}

# environment KIND LOCKFILE: set `python`, making the environment if it is not there.
environment() {
    kind=$1
    lock=$2
    stamp=$({
        cat "$root/$lock" "$root/pyproject.toml" "$root/tools/setup.sh" "$root/tools/finish.py"
        printf '%s' "${PYTHON-}"
    } | cksum)
    stamp=${stamp%% *}
    settle_in "$root/.run-tests"
    [ ! -x "$python" ] || return 0
    if [ ! -w "$home" ] && { [ -e "$home" ] || [ ! -w "$root" ]; }; then
        # A checkout that may only be read: the environment lives in the user's cache.
        cache=${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}
        [ -n "$cache" ] || give_up "cannot write to $root; set HOME or XDG_CACHE_HOME"
        id=$(printf '%s' "$root" | cksum)
        settle_in "$cache/run-tests/${id%% *}"
        [ ! -x "$python" ] || return 0
    fi
    make_environment
}

settle_in() {
    home=$1
    link=$home/venv-$kind-$stamp
    python=$link/bin/python
}

make_environment() {
    find_python
    mkdir -p "$home" 2>/dev/null || give_up "cannot make $home"
    [ -e "$home/.gitignore" ] || echo '*' >"$home/.gitignore"
    mutex=$home/lock-$kind
    log=$home/setup-$kind.log
    fresh=
    trap leave_nothing EXIT
    for signal in HUP INT TERM; do
        trap "leave_nothing; trap - EXIT $signal; kill -$signal \$\$" "$signal"
    done
    take_turn
    if [ ! -x "$python" ]; then # else: made by the one we waited for
        say "setting up Python packages in $home"
        claim_folder
        install >"$log" 2>&1 || explain_failure
        fresh=
        sweep
    fi
    leave_nothing
    trap - EXIT HUP INT TERM
}

# Set `base` to the first Python that is new enough, by its real name: when that Python is removed
# or replaced by another version, the environment's link to it dangles and we know to start again.
find_python() {
    probe='import os, sys
sys.version_info >= (3, 11) or sys.exit(1)
print(os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable))'
    set -- python3 python3.14 python3.13 python3.12 python3.11 python
    [ -z "${PYTHON-}" ] || set -- "$PYTHON"
    seen=
    for candidate; do
        # Not every `python3.13` in PATH can be run: version managers put placeholders there.
        base=$("$candidate" -I -c "$probe" 2>/dev/null) && return 0
        seen=${seen:-$("$candidate" --version 2>/dev/null)} || :
    done
    if [ -n "${PYTHON-}" ]; then
        give_up "PYTHON=$PYTHON is ${seen:-not a Python that runs}; needs Python 3.11 or later"
    fi
    give_up "needs Python 3.11 or later, found ${seen:-none}; install one (Debian, Ubuntu:" \
        "apt-get install python3 python3-venv; Fedora: dnf install python3), or name one:" \
        "PYTHON=/path/to/python3.12 $0"
}

# Wait while another process sets up.  A link is made and labelled with its owner in one step, so
# there is no moment at which a lock has no owner.  It only spares double work: two at once, after
# a lock was wrongly believed dead, build two folders, and each of them is whole when linked.
take_turn() {
    patience=600
    until ln -s "$$" "$mutex" 2>/dev/null; do
        owner=$(readlink "$mutex") || owner=
        if [ "$patience" -eq 0 ] || { [ -n "$owner" ] && ! is_alive "$owner"; }; then
            rm -f "$mutex"
            ln -s "$$" "$mutex" 2>/dev/null || :
            return 0
        fi
        [ "$patience" -ne 600 ] || say "waiting for process ${owner:-?}, which is setting up"
        patience=$((patience - 1))
        sleep 1
    done
}

is_alive() {
    kill -0 "$1" 2>/dev/null || [ -d "/proc/$1" ] # the second: somebody else's
}

# Make a folder for our environment.  The number of an earlier owner can come back.
claim_folder() {
    count=0
    until mkdir "$home/env-$$-$count" 2>/dev/null; do
        count=$((count + 1))
        [ "$count" -lt 100 ] || give_up "cannot make a folder in $home"
    done
    fresh=$home/env-$$-$count
}

leave_nothing() {
    [ -z "$fresh" ] || rm -rf "$fresh"
    [ "$(readlink "$mutex")" != "$$" ] || rm -f "$mutex"
}

# Fill the folder and make the link.  Hashes are always asked for, and always in the lock files.
install() {
    set -- --require-hashes -r "$root/$lock"
    [ -n "${RUN_TESTS_ALLOW_BUILD-}" ] || set -- "$@" --only-binary :all:
    [ ! -d "$root/wheelhouse" ] || set -- "$@" --no-index --find-links "$root/wheelhouse"
    install_with_uv "$@" || install_with_pip "$@" || return
    # Our own package is not installed but found: see tools/finish.py.
    "$fresh/bin/python" -I "$root/tools/finish.py" "$root" "$fresh" "$link"
}

install_with_uv() {
    command -v uv || return
    # uv does not read pip's settings.  Where those name sources of packages, pip does the work.
    if [ ! -d "$root/wheelhouse" ] && [ -z "${UV_DEFAULT_INDEX-}${UV_INDEX-}${UV_INDEX_URL-}" ]; then
        if "$base" -m pip config list 2>/dev/null | grep -E 'index|find-links'; then
            return 1
        fi
    fi
    # The machine's certificates, as pip is commonly set to; the second is the name of older uv.
    export "UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS-1}" "UV_NATIVE_TLS=${UV_NATIVE_TLS-1}"
    export "UV_HTTP_RETRIES=${UV_HTTP_RETRIES-1}"
    uv venv --allow-existing --no-project --no-python-downloads --python "$base" "$fresh" &&
        uv pip install --python "$fresh/bin/python" "$@"
}

install_with_pip() {
    export "PIP_RETRIES=${PIP_RETRIES-1}" # without a network, say so soon
    export PIP_USER=0 PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1
    # The pip of the machine's Python saves unpacking another one, and is there on a Debian without
    # python3-venv.  `--python` needs pip 22.3.
    if "$base" -m venv --clear --without-pip "$fresh" &&
        "$base" -m pip --python "$fresh/bin/python" --version; then
        "$base" -m pip --python "$fresh/bin/python" install --progress-bar off "$@"
    elif "$base" -m venv --clear "$fresh"; then
        "$fresh/bin/python" -m pip install --progress-bar off "$@"
    else
        echo no-pip
        return 1
    fi
}

explain_failure() {
    if [ "$(tail -n 1 "$log")" = no-pip ]; then
        version=$("$base" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        give_up "$base has neither venv with ensurepip nor pip 22.3 or later; install it (Debian," \
            "Ubuntu: apt-get install python$version-venv; Fedora: dnf install python3-pip), put uv" \
            "on PATH, or name another Python: PYTHON=/path/to/python3.12 $0"
    fi
    say "could not install what $lock names; the end of $log:"
    tail -n 5 "$log" | cut -c 1-300 | sed 's/^/    /' >&2
    say "without a network: on a machine that has one, run" \
        "'python3 -m pip download --only-binary :all: -r $lock -d wheelhouse'" \
        "and put the folder wheelhouse/ into $root; behind a mirror: set PIP_INDEX_URL"
    exit 70
}

# Remove environments of other stamps that nobody runs, and folders left by a set-up that was killed.
sweep() {
    for old in "$home/venv-$kind-"*; do
        [ "$old" = "$link" ] || is_running "$old/" || rm -f "$old"
    done
    linked=" $(for old in "$home"/venv-*; do readlink "$old"; done | tr '\n' ' ')"
    for old in "$home"/env-*; do
        name=${old##*/}
        owner=${name#env-}
        owner=${owner%%-*}
        case $linked in *" $name "*) continue ;; esac
        [ "$owner" != "$$" ] && is_alive "$owner" || rm -rf "$old" || :
    done
}

# Is there a process whose command line holds this text?  The text goes through a pipe, as grep
# would otherwise find itself.
is_running() {
    if [ -d /proc/self ]; then
        printf '%s\n' "$1" | grep -qsF -f - /proc/[0-9]*/cmdline
    else
        ps -A -o args= | grep -v grep | grep -qF -- "$1"
    fi
}
