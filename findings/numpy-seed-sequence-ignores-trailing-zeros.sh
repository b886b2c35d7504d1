#!/bin/sh
# numpy's SeedSequence gives the same stream for [7], [7, 0] and [7, 0, 0], but not for [0, 7].
#
# Versions: numpy 2.3.5 (seen 2026-12-01, CPython 3.11).
# Expected: a list of integers such as [seed, epoch] or [seed, worker] seeds one stream for each different list.
# Seen: the entropy pool is padded with zeros, so lists of up to four 32-bit words that differ in trailing zeros are one and
# the same: with [seed, epoch] the first epoch draws what a stream seeded with the bare [seed] draws (weights, a shuffle).
# `spawn_key=(epoch,)` keeps them apart.
#
# Fails when this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.3.5
"$folder/venv/bin/python" - <<'PY'
import numpy as np


def draw(*arguments, **options):
    return np.random.default_rng(np.random.SeedSequence(*arguments, **options)).integers(0, 10**9, 3).tolist()


seen = {str(entropy): draw(entropy) for entropy in (7, [7], [7, 0], [7, 0, 0], [7, 1], [0, 7])}
for entropy, numbers in seen.items():
    print(entropy, numbers)
assert seen["7"] == seen["[7]"] == seen["[7, 0]"] == seen["[7, 0, 0]"]
assert len({tuple(seen[name]) for name in ("[7]", "[7, 1]", "[0, 7]")}) == 3
assert draw(7) != draw(7, spawn_key=(0,)) != draw(7, spawn_key=(1,))
print("spawn_key=(0,)", draw(7, spawn_key=(0,)))
PY
echo "as described"
