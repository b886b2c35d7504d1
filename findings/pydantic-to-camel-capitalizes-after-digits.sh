#!/bin/sh
# pydantic's alias generator `to_camel` treats a digit as a word boundary.
#
# Versions: pydantic 2.12.5 (seen 2026-12-01, CPython 3.11).
# Expected by anyone who knows "snake_case to camelCase": names without an underscore stay as they are.
# Seen: `pix2pix` becomes `pix2Pix`, `text2video` becomes `text2Video`, `float32` stays `float32`, `x2y_z` becomes `x2YZ`.
# So a model that says `alias_generator=to_camel` and has a field `pix2pix` refuses the key `pix2pix`, and writes `pix2Pix`.
#
# Fails when this changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pydantic==2.12.5
"$folder/venv/bin/python" - <<'PY'
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

seen = {name: to_camel(name) for name in ("pix2pix", "text2video", "float32", "x2y_z", "neural_sde")}
print(seen)
assert seen == {"pix2pix": "pix2Pix", "text2video": "text2Video", "float32": "float32", "x2y_z": "x2YZ",
                "neural_sde": "neuralSde"}, seen


class Pipeline(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")
    pix2pix: int


try:
    Pipeline.model_validate({"pix2pix": 1})
except ValidationError as error:
    print([(item["loc"], item["type"]) for item in error.errors()])
    assert [item["type"] for item in error.errors()] == ["missing", "extra_forbidden"]
else:
    raise SystemExit("the field's own name is accepted now")
assert Pipeline.model_validate({"pix2Pix": 1}).model_dump(by_alias=True) == {"pix2Pix": 1}
PY
echo "as described"
