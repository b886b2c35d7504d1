"""
Every field of a spec, walked in the generated schema, and a good spec that holds any one of them.

So a field that is added to the models is in these tests without anybody thinking of it; where a new kind of text needs
an example, `example` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from videojob_api.crd.schema import structural_schema
from videojob_api.resource.spec import VideoJobSpec

from tests import corpus

Schema = dict[str, Any]

SPEC: Schema = structural_schema(VideoJobSpec)

ONE_OF = {
    "pipeline": ("vqganClip", "custom"),
    "pipeline.vqganClip": ("image", "video", "styleTransfer", "timelapse"),
    "inputs.0": ("s3", "pvc", "inline"),
    "models.0": ("builtin", "input"),
    "output": ("s3", "pvc"),
    "post.0": ("upscale", "interpolate", "audio"),
    "Plan.inputs.0.input": ("s3", "pvc", "inline"),
}
"""The unions, said once more: a test may not believe the models."""

PROMPTS = ("prompts", "imagePrompts", "noisePrompts")
AT_LEAST_ONE = {f"pipeline.vqganClip.{form}": PROMPTS for form in ONE_OF["pipeline.vqganClip"]}
"""Fields of which one or more must be there."""

TEXTS = {
    "pipeline.vqganClip.initImage": ("data", "data/b.png"),
    "pipeline.vqganClip.video.smoother.length": (3, 5),
    "pipeline.vqganClip.styleTransfer.source": ("data", "data/clip.mp4"),
    "pipeline.vqganClip.styleTransfer.smoother.length": (3, 5),
    "models.0.role": ("generator", "perceptor"),
    "models.0.builtin": ("shapes-vqgan", "shapes-clip"),
    "models.0.input": ("data", "data/b"),
    "inputs.0.path": ("data", "data2"),
    "post.0.audio.input": ("data", "data/b.mp3"),
    "output.s3.endpoint": ("https://a.example.com", "https://b.example.com"),
    "inputs.0.s3.endpoint": ("https://a.example.com", "https://b.example.com"),
}
SHA = ("sha256:" + "a" * 64, "sha256:" + "b" * 64)


def fields(schema: Schema = SPEC, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Path and schema of every field, parents first; `inputs.0` stands for the items of a list of objects."""
    for name, field in schema.get("properties", {}).items():
        here = f"{path}{name}"
        yield here, field
        yield from fields(field, f"{here}.")
        if field.get("type") == "array" and "properties" in field["items"]:
            yield from fields(field["items"], f"{here}.0.")


def example(path: str, schema: Schema, *, other: bool = False) -> Any:
    """One good value for a field, or another one; nested objects get what they require."""
    if path in TEXTS:
        return TEXTS[path][other]
    if "enum" in schema:
        return schema["enum"][-1 if other else 0]
    if schema.get("x-kubernetes-int-or-string"):
        return 2 if other else "1"
    return EXAMPLES[schema["type"]](path, schema, other)


def _object(path: str, schema: Schema, other: bool) -> Any:
    if "additionalProperties" in schema:
        inner = schema["additionalProperties"]
        return {
            "example.com/it": example(path, inner, other=other) if "type" in inner or len(inner) > 2 else int(other)
        }
    arm = ONE_OF.get(path, ())[-1 if other else 0 :][:1]
    names = [*schema.get("required", ()), *arm, *AT_LEAST_ONE.get(path, ())[:1]]
    return {name: example(f"{path}.{name}", schema["properties"][name], other=other) for name in names}


def _array(path: str, schema: Schema, other: bool) -> Any:
    return [example(f"{path}.0", schema["items"], other=other)]


def _string(path: str, schema: Schema, other: bool) -> str:
    if "64" in schema.get("pattern", ""):
        return SHA[other]
    return "beta" if other else "alfa"


def _number(path: str, schema: Schema, other: bool) -> Any:
    low = max(schema.get("minimum", 1), 1) + bool(schema.get("exclusiveMinimum"))
    high = schema.get("maximum")
    if high is not None and high < low + 1:  # a share
        low = high / 2
        return high if other else low
    return low + 1 if other else low


EXAMPLES: dict[str, Callable[[str, Schema, bool], Any]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _number,
    "number": _number,
    "boolean": lambda path, schema, other: not other,
}


def manifest_with(path: str, *, other: bool = False) -> corpus.Manifest:
    """A good manifest in which the field stands, with one value or the other."""
    manifest = corpus.with_edits(corpus.BASE, {"spec.inputs": [{"path": "data", "inline": "x"}]})
    names, place, schema = path.split("."), manifest["spec"], SPEC
    for depth, name in enumerate(names):
        here = ".".join(names[: depth + 1])
        parent = ".".join(names[:depth])
        for sibling in ONE_OF.get(parent, ()):
            if sibling != name and name in ONE_OF[parent]:
                place.pop(sibling, None)
        schema = schema["items"] if name == "0" else schema["properties"][name]
        if here == path:
            place[name] = example(path, schema, other=other)
        elif isinstance(place, dict) and name not in place:
            place[name] = example(here, schema)
        place = place[int(name) if name == "0" else name]
    return _with_company(path, manifest)


def _with_company(path: str, manifest: corpus.Manifest) -> corpus.Manifest:
    """What other fields must be for this one to stand."""
    spec = manifest["spec"]
    if "custom" in spec["pipeline"]:
        spec["runner"].setdefault("image", "example.com/mine:1")
    if path == "pipeline.vqganClip.augments":
        spec["pipeline"]["vqganClip"]["cutMethod"] = "latest"
    if path == "pipeline.vqganClip.initWeightMethod":
        spec["pipeline"]["vqganClip"]["initWeight"] = 0.5
    if path == "pipeline.vqganClip.fit":
        spec["pipeline"]["vqganClip"]["initImage"] = "data"
    if path == "inputs.0.access":
        spec["inputs"] = [{"path": "data", "pvc": {"claimName": "videos"}, "access": spec["inputs"][0]["access"]}]
    if any("interpolate" in step for step in spec.get("post", ())):
        spec["encoding"] = {"fps": 1}  # below every example
    limits = spec["runner"].get("resources", {}).get("limits", {})
    if not any("/" in name for name in limits):
        spec["runner"]["accelerator"] = "None"
    return manifest
