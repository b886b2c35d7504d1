"""
Specs nobody thought of: hypothesis strategies made from the generated schema, and mutations that make specs bad.

Drawn specs are repaired to keep the rules between fields; a mutation then puts one wrong thing at one random place,
each place being as likely as any other. Both have a fixed seed, so that a run can be repeated.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests import corpus
from tests.spec_fields import AT_LEAST_ONE, ONE_OF, SPEC, TEXTS, Schema

FREE_FORM = ("config", "affinity", "tolerations")
WRONG: tuple[Any, ...] = (None, True, -1, 7, 10**9, 1.5, "", "..", "/", "a\nb", "Ä b", "x" * 33_000, [], [None], {})
"""What a mutation puts in the place of a value; sometimes it fits."""

TEXT = st.text(max_size=40)
NAME = st.text(st.characters(codec="ascii", categories=["Ll", "Nd"]), min_size=1, max_size=12)
PATH = st.lists(NAME | st.sampled_from(["...", "a b", "é", "-x", ".hidden", "..a"]), min_size=1, max_size=4).map(
    "/".join
)
RESOURCE = st.sampled_from(["cpu", "memory", "nvidia.com/gpu", "example.com/other"])
# Beyond 2⁵³ the API server writes a float as a whole number with other last digits than Python's.
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-(2.0**53), 2.0**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def strategy(schema: Schema, path: str = "") -> st.SearchStrategy[Any]:
    """Values that a schema allows, rules between fields aside."""
    if path in TEXTS:
        return st.sampled_from(TEXTS[path])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "x-kubernetes-preserve-unknown-fields" in schema:
        return JSON
    if schema.get("x-kubernetes-int-or-string"):
        return st.integers(0, 10**6) | st.from_regex(schema["pattern"], fullmatch=True).filter(
            lambda text: len(text) < 33
        )
    return {"object": _objects, "array": _lists, "string": _texts, "boolean": lambda *_: st.booleans()}.get(
        schema["type"], _numbers
    )(schema, path)


def _objects(schema: Schema, path: str) -> st.SearchStrategy[Any]:
    if "additionalProperties" in schema:
        keys = RESOURCE if "resources" in path else NAME
        return st.dictionaries(keys, strategy(schema["additionalProperties"], f"{path}.*"), max_size=3)
    parts = {name: strategy(each, f"{path}.{name}".removeprefix(".")) for name, each in schema["properties"].items()}
    place = path.replace("[]", ".0")
    arms, some = ONE_OF.get(place, ()), AT_LEAST_ONE.get(place, ())
    required = {name: parts[name] for name in schema.get("required", ())}
    optional = {name: part for name, part in parts.items() if name not in (*required, *arms)}
    common = st.fixed_dictionaries(required, optional=optional)
    if not arms and not some:
        return common
    one = st.one_of([st.fixed_dictionaries({name: parts[name]}) for name in arms or some])
    return st.builds(lambda first, second: first | second, common, one)


def _lists(schema: Schema, path: str) -> st.SearchStrategy[Any]:
    keys = schema.get("x-kubernetes-list-map-keys")
    unique = (lambda item: item[keys[0]]) if keys else None
    return st.lists(strategy(schema["items"], f"{path}[]"), max_size=3, unique_by=unique)


def _texts(schema: Schema, path: str) -> st.SearchStrategy[Any]:
    longest = schema.get("maxLength", 40)
    if schema.get("format") == "date-time":
        return st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
    if any("(^|/)" in rule["rule"] for rule in schema.get("x-kubernetes-validations", ())):
        return PATH
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True).filter(lambda text: len(text) <= longest)
    return st.text(min_size=schema.get("minLength", 0), max_size=min(longest, 40))


def _numbers(schema: Schema, path: str) -> st.SearchStrategy[Any]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if schema["type"] == "integer":
        return st.integers(low, high if high is not None else 2**53)
    return st.floats(low, high, exclude_min=schema.get("exclusiveMinimum", False), allow_nan=False)


def repair(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec with what its fields ask of each other."""
    runner = spec.setdefault("runner", {})
    if "custom" in spec["pipeline"]:
        runner.setdefault("image", "example.com/mine:1")
    if not any("/" in name for name in runner.get("resources", {}).get("limits", {})):
        runner["accelerator"] = "None"
    for entry in spec.get("inputs", ()):
        if "pvc" not in entry:
            entry["access"] = "Copy"
    _repair_models(spec)
    _repair_post(spec)
    clip = spec["pipeline"].get("vqganClip", {})
    if "styleTransfer" in clip:
        _repair_style_transfer(spec, clip)
    if clip.get("fit") == "aspect":
        clip.setdefault("initImage", "init")
    if "initImage" in clip:
        spec["inputs"] = spec.get("inputs") or [{"path": "init", "inline": ""}]
        clip["initImage"] = spec["inputs"][0]["path"]
    if "augments" in clip:
        clip["cutMethod"] = "nrupdated"
    if "initWeightMethod" in clip:
        clip.setdefault("initWeight", 0)
    video = clip.get("video", {})
    if "changePromptsOnFrame" in video:
        video["changePromptsOnFrame"] = sorted({f for f in video["changePromptsOnFrame"] if f <= video["frames"]})
    return spec


def _repair_style_transfer(spec: dict[str, Any], clip: dict[str, Any]) -> None:
    for name in ("initImage", "start", "initWeight", "initWeightMethod", "fit"):
        clip.pop(name, None)
    spec["inputs"] = spec.get("inputs") or [{"path": "clip", "inline": ""}]
    form = clip["styleTransfer"]
    form["source"] = spec["inputs"][0]["path"]
    if "restyle" in form:
        form.pop("start", None)
    if "changePromptsOnFrame" in form:
        form["changePromptsOnFrame"] = sorted(set(form["changePromptsOnFrame"]))


def _repair_models(spec: dict[str, Any]) -> None:
    paths = [entry["path"] for entry in spec.get("inputs", ())]
    if "models" in spec:
        del spec["models"][2:]
    for role, source in zip(("generator", "perceptor"), spec.get("models", ()), strict=False):
        source["role"] = role
        if "input" in source and not paths:
            del source["input"]
            source["builtin"] = "shapes-clip"
        elif "input" in source:
            source["input"] = f"{paths[0]}/pack"
        else:
            source["builtin"] = "shapes-vqgan"


def _repair_post(spec: dict[str, Any]) -> None:
    steps = spec.pop("post", [])
    if "custom" in spec["pipeline"] or not steps:
        return
    for name in ("interpolate", "audio"):
        later = [step for step in steps if name in step][1:]
        steps = [step for step in steps if not any(step is each for each in later)]
    fps = spec.get("encoding", {}).get("fps", 24)
    for step in steps:
        if "interpolate" in step and fps < 240:
            step["interpolate"]["fps"] = max(step["interpolate"]["fps"], fps + 1)
        elif "interpolate" in step:
            spec["encoding"]["fps"], step["interpolate"]["fps"] = 1, 2
        if "audio" in step:
            spec["inputs"] = spec.get("inputs") or [{"path": "song", "inline": ""}]
            step["audio"]["input"] = spec["inputs"][0]["path"]
    spec["post"] = steps


def places(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place below a node, but for free-form objects, within which nothing can be wrong."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield (*path, key)
        if key not in FREE_FORM:
            yield from places(value, (*path, key))


def mutate(good: dict[str, Any], chance: Random) -> dict[str, Any]:
    """The spec with one place removed, replaced, doubled, or with company that nobody knows."""
    spec = copy.deepcopy(good)
    *parents, last = chance.choice(list(places(spec)))
    place: Any = spec
    for key in parents:
        place = place[key]
    how = chance.choice(["remove", "replace", "replace", "replace", "double", "company"])
    if how == "remove":
        del place[last]
    elif how == "double" and isinstance(place, list):
        place.append(copy.deepcopy(place[-1]))
    elif how == "company" and isinstance(place, dict):
        place["nobody"] = 1
    else:
        place[last] = copy.deepcopy(chance.choice(WRONG))
    return spec


SPECS = strategy(SPEC).map(repair)
"""Good specs."""


def sample(count: int) -> list[dict[str, Any]]:
    """`count` good specs, drawn with a fixed seed."""
    drawn: list[dict[str, Any]] = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(SPECS)
    def collect(spec: dict[str, Any]) -> None:
        drawn.append(spec)

    collect()
    return drawn[:count]


def good_and_bad(count: int) -> list[corpus.Manifest]:
    """`count` generated manifests, half of them good and half of them mutated."""
    good = sample(count // 2)
    chance = Random(7)
    return [corpus.BASE | {"spec": spec} for spec in [*good, *(mutate(each, chance) for each in good)]]
