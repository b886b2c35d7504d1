#!/bin/sh
# Makes the virtual environment $VENV from locks/dev.txt: every file checked by hash, nothing resolved anew.
# Needs Python 3.11 or newer and nothing else: where venv or pip are missing, as on a bare Debian, pip comes from
# the wheel in Debian's python3-pip-whl, downloaded and unpacked into the cache folder, never installed.
set -eu
VENV=${VENV:-.venv}
cache=${VIDEOJOB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/videojob}
tools=$cache/bootstrap
begin=$(date +%s)

fail() { echo "make: $*" >&2; exit 1; }

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() { # the first of these that is new enough; nothing when none is
    for name in ${PYTHON:-python3 python3.11 python3.12 python3.13 python3.14}; do
        if is_new_enough "$name"; then echo "$name"; return; fi
    done
}

pip() { # the machine's own pip, or Debian's wheel of it
    if "$python" -m pip --version >/dev/null 2>&1; then "$python" -m pip "$@"; return; fi
    if [ ! -d "$tools/deb" ]; then
        command -v apt-get >/dev/null || { echo "$python has no pip: install pip or uv first" >&2; return 1; }
        rm -rf "$tools/deb.part"
        mkdir -p "$tools/deb.part"
        (cd "$tools/deb.part" && apt-get download -q python3-pip-whl && dpkg-deb -x ./*.deb .) || return 1
        mv "$tools/deb.part" "$tools/deb"
    fi
    "$python" "$(echo "$tools"/deb/usr/share/python-wheels/pip-*.whl)/pip" "$@"
}

remedy() { # what to do about the error in file $1
    if grep -qi "no space left\|os error 28" "$1"; then
        echo "the packages need 6 GB: free some space, or move them (VENV=/larger/disk/venv UV_CACHE_DIR=/larger/disk/uv)"
    elif grep -qi "dns\|connect\|fetch\|request\|timed out\|retries\|resolution\|No matching distribution" "$1"; then
        echo "the packages could not be downloaded: check the network, or name your proxy (HTTPS_PROXY) or mirror (UV_DEFAULT_INDEX)"
    else
        echo "the packages could not be installed: the reason stands above; make again goes on from there"
    fi
}

run() { # a command whose failure is followed by the remedy; on a terminal it shows its own progress
    errors=$tools/errors
    mkdir -p "$tools" || fail "$tools cannot be written: set VIDEOJOB_CACHE to a folder of yours"
    if [ -t 2 ] && "$@"; then return; fi # a second time for the reason, where the first showed progress
    "$@" 2>"$errors" && return
    cat "$errors" >&2
    fail "$(remedy "$errors")"
}

python=$(find_python)
[ -n "$python" ] || fail "no Python 3.11 or newer among ${PYTHON:-python3, python3.11 … python3.14}:" \
    "install one, or say where it is (PYTHON=/path/to/python3)"

if command -v uv >/dev/null 2>&1; then
    uv=uv
else
    uv=$tools/uv/bin/uv
    [ -x "$uv" ] || run pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-warn-script-location --target "$tools/uv" "uv>=0.9"
fi
quiet=--quiet
[ ! -t 2 ] || quiet=

echo "python environment: packages of 5 GB, most of it torch, are downloaded once" >&2
[ -x "$VENV/bin/python" ] || run "$uv" venv --quiet --python "$python" "$VENV"
# shellcheck disable=SC2086
run "$uv" pip sync $quiet --require-hashes --python "$VENV/bin/python" locks/dev.txt
run "$uv" pip install --quiet --no-deps --python "$VENV/bin/python" --editable .
touch "$VENV/ok"
echo "python environment: $(($(date +%s) - begin)) s"
