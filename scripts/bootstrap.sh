#!/bin/sh
# Makes the virtual environment $VENV from locks/dev.txt: every file checked by hash, nothing resolved anew.
# Needs python3 (3.11 or newer) and nothing else: where venv or pip are missing, as on a bare Debian, pip comes from
# the wheel in Debian's python3-pip-whl, downloaded and unpacked into the cache folder, never installed.
set -eu
VENV=${VENV:-.venv}
python=${PYTHON:-python3}
cache=${VIDEOJOB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/videojob}
tools=$cache/bootstrap
begin=$(date +%s)

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "make: $python is older than 3.11; set PYTHON=/path/to/a/newer/python3" >&2; exit 1
}

pip() { # the machine's own pip, or Debian's wheel of it
    if "$python" -m pip --version >/dev/null 2>&1; then "$python" -m pip "$@"; return; fi
    if [ ! -d "$tools/deb" ]; then
        mkdir -p "$tools/deb.part" && (cd "$tools/deb.part" && apt-get download -q python3-pip-whl && dpkg-deb -x ./*.deb .)
        mv "$tools/deb.part" "$tools/deb"
    fi
    "$python" "$(echo "$tools"/deb/usr/share/python-wheels/pip-*.whl)/pip" "$@"
}

if command -v uv >/dev/null 2>&1; then
    uv=uv
else
    uv=$tools/uv/bin/uv
    [ -x "$uv" ] || pip install --quiet --disable-pip-version-check --no-warn-script-location --target "$tools/uv" "uv>=0.9"
fi

[ -x "$VENV/bin/python" ] || "$uv" venv --quiet --python "$python" "$VENV"
"$uv" pip sync --quiet --require-hashes --python "$VENV/bin/python" locks/dev.txt
"$uv" pip install --quiet --no-deps --python "$VENV/bin/python" --editable .
touch "$VENV/ok"
echo "python environment: $(($(date +%s) - begin)) s"
