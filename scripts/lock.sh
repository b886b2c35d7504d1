#!/bin/sh
# Writes the locks: universal (every platform), by hash, without any index address.
set -eu
compile() { # FILE EXTRA...
    file=$1; shift
    extras=""; for extra in "$@"; do extras="$extras --extra $extra"; done
    # shellcheck disable=SC2086
    uv pip compile pyproject.toml $extras --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet -o "locks/$file.txt"
}
compile operator operator agent cli
compile contract contract
compile runner runner
compile dev dev
