"""The chart rendered by the real helm, as objects."""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import devcluster
from devcluster.build.go_build import binary_path

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "helm" / "videojob"
Manifest = dict[str, Any]


class RenderFailed(AssertionError):
    """helm would not render; the text says why."""


def helm(*arguments: str) -> str:
    """What helm prints; skips where it has not been built, raises Refused when it complains."""
    try:
        command = [str(binary_path("helm")), *arguments]
    except devcluster.Unsupported as reason:
        pytest.skip(str(reason))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RenderFailed(done.stderr)
    return done.stdout


def render(*options: str, release: str = "videojob") -> str:
    """The chart as YAML, rendered anew."""
    where = ("--namespace", "videojob-system", "--kube-version", "1.34.4")
    return helm("template", release, str(CHART), *where, *options)


render_cached = functools.cache(render)
"""The chart as YAML; the same options are rendered once."""


def objects(*options: str, release: str = "videojob") -> Mapping[tuple[str, str], Manifest]:
    """The chart's objects by kind and `namespace/name` (or name)."""
    documents = [each for each in yaml.safe_load_all(render_cached(*options, release=release)) if each]
    return {(each["kind"], object_key(each["metadata"])): each for each in documents}


def object_key(metadata: Mapping[str, str]) -> str:
    """`namespace/name`, or the name of what has no namespace."""
    return "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))


def operator_pod(*options: str) -> Manifest:
    """The operator's pod template."""
    template: Manifest = objects(*options)["Deployment", "videojob-system/videojob"]["spec"]["template"]
    return template


def operator_environment(*options: str) -> dict[str, str]:
    """The operator's variables that have plain values."""
    [container] = operator_pod(*options)["spec"]["containers"]
    return {each["name"]: each["value"] for each in container["env"] if "value" in each}
