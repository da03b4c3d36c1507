#!/bin/sh
# Makes the virtual environment that the Makefile's targets run in; does nothing when it is already right.
#   PYTHON=…  makes it, where there is none yet (default: the first 3.11 or newer of python3, python3.14 … python3.11)
#   VENV=…    where (default .venv)
# The `journal` extra builds against libsystemd. As root on Debian what that needs is installed; elsewhere one line
# says how to get it, and the set-up goes on without: nothing needs it yet.
set -eu
cd "$(dirname "$0")/.."
VENV=${VENV:-.venv}
export PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

say() { echo "setup: $*" >&2; }
die() { say "$*"; exit 1; }

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        new_enough "$PYTHON" && return 0
        die "PYTHON=$PYTHON is not Python 3.11 or newer"
    fi
    for PYTHON in python3 python3.14 python3.13 python3.12 python3.11; do
        new_enough "$PYTHON" && return 0
    done
    PYTHON=
    return 1
}

can_apt() { [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ] && command -v apt-get >/dev/null 2>&1; }

apt_install() {  # the package lists may be absent (fresh images) or stale: refresh them only when needed
    say "installing Debian packages: $*"
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -qq -y --no-install-recommends "$@" </dev/null >/dev/null 2>&1 && return 0
    apt-get update -qq </dev/null >/dev/null 2>&1 || true
    apt-get install -qq -y --no-install-recommends "$@" </dev/null >/dev/null
}

version() { "$PYTHON" -c 'import sys; print("python%d.%d" % sys.version_info[:2])'; }

is_debians_python() { case "$("$PYTHON" -c 'import sys; print(sys.base_prefix)')" in /usr) return 0 ;; *) return 1 ;; esac; }

has_venv() { "$PYTHON" -c 'import ensurepip, venv' >/dev/null 2>&1; }

has_python_headers() {
    "$PYTHON" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))'
}

journal_lacks() {  # Debian's names of what building systemd-python still needs
    command -v pkg-config >/dev/null 2>&1 || echo pkg-config
    pkg-config --exists libsystemd 2>/dev/null || echo libsystemd-dev
    command -v "${CC:-gcc}" >/dev/null 2>&1 || echo gcc libc6-dev
    has_python_headers || echo "$(version)-dev"
}

need_python() {
    find_python && return 0
    if can_apt && apt_install python3 python3-venv && find_python; then return 0; fi
    die "Python 3.11 or newer is needed and was not found; install it, or name it: make PYTHON=/path/to/python3"
}

need_venv() {
    has_venv && return 0
    if can_apt && is_debians_python && apt_install "$(version)-venv" && has_venv; then return 0; fi
    die "$PYTHON has no venv/ensurepip; on Debian and Ubuntu: apt-get install $(version)-venv"
}

want_journal() {
    [ "$(uname -s)" = Linux ] || { say "no systemd here: going on without the journal extra"; return 1; }
    lacks=$(journal_lacks | xargs)
    [ -n "$lacks" ] || return 0
    # shellcheck disable=SC2086  # a list of package names
    if can_apt && apt_install $lacks; then return 0; fi
    say "going on without the journal extra (nothing needs it yet); to have it, install $lacks and run: make setup"
    return 1
}

wanted() {  # what decides the environment's content: this project's packages, not its linter settings
    "$VENV/bin/python" - "$1" <<'PY'
import hashlib, json, sys, tomllib
with open("pyproject.toml", "rb") as file:
    tables = tomllib.load(file)
content = [tables["build-system"], tables["project"], tables["tool"]["hatch"], sys.version, sys.prefix, sys.argv[1]]
print(hashlib.sha256(json.dumps(content).encode()).hexdigest())
PY
}

install() { "$VENV/bin/python" -m pip install -q -e ".[$1]" && wanted "$extras" >"$VENV/.installed"; }

# Two at once would trip over each other (the lock is this file's own; where there is no flock there is no lock).
exec 9<"tools/setup.sh"
if command -v flock >/dev/null 2>&1; then flock 9; fi

if [ -x "$VENV/bin/python" ] && new_enough "$VENV/bin/python"; then
    PYTHON=$VENV/bin/python
else
    need_python
    need_venv
    say "making $VENV with $PYTHON ($(version))"
    "$PYTHON" -m venv --clear "$VENV"
    PYTHON=$VENV/bin/python
fi
"$PYTHON" -m pip --version >/dev/null 2>&1 || "$PYTHON" -m ensurepip >/dev/null

if want_journal; then extras="dev,journal"; else extras="dev"; fi
if [ "$(cat "$VENV/.installed" 2>/dev/null)" = "$(wanted "$extras")" ]; then exit 0; fi

say "installing k8sdiag with its [$extras] packages into $VENV"
if [ "$extras" = dev ]; then
    install dev || die "pip could not install the packages (see above)"
elif ! install "$extras" 2>"$VENV/.journal-build.log"; then
    install dev || die "pip could not install the packages (see above)"
    say "going on without the journal extra (nothing needs it yet): it does not build, see $VENV/.journal-build.log"
fi
