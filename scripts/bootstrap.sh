#!/bin/sh
# Makes the virtual environment $VENV from locks/dev.txt: every file checked by hash, nothing resolved anew.
set -eu
VENV=${VENV:-.venv}
python=${PYTHON:-python3}
command -v uv >/dev/null 2>&1 && uv=uv || {
    "$python" -m venv "$VENV.uv" && "$VENV.uv/bin/pip" install --quiet "uv>=0.9" && uv=$VENV.uv/bin/uv
}
[ -x "$VENV/bin/python" ] || "$uv" venv --quiet --python "$python" "$VENV"
"$uv" pip sync --quiet --require-hashes --python "$VENV/bin/python" locks/dev.txt
"$uv" pip install --quiet --no-deps --python "$VENV/bin/python" --editable .
touch "$VENV/ok"
