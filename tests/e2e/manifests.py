"""Builders of the manifests the tests apply: each case shows only what matters to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.e2e.disruptions import Disruption
from tests.e2e.kube import Manifest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

QUICKSTART = "quickstart.yaml"
CLAIM = "videos"
REQUESTS = {"cpu": "20m", "memory": "64Mi"}
"""Little, so that a table of cases runs side by side on a small node."""
SMALL = {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": REQUESTS}


def videojob(name: str, **spec: Any) -> Manifest:
    """A small TEST job to the claim `videos`, without an accelerator; any part of the spec can be given instead."""
    base: Manifest = {
        "pipeline": {"vqganClip": {"width": 64, "height": 64, "video": {"prompts": "a red circle", "frames": 12}}},
        "output": {"pvc": {"claimName": CLAIM}},
        "encoding": {"fps": 12},
        "test": {"durationSeconds": 3},
        "runner": {"accelerator": "None", "resources": SMALL},
        "pod": {"terminationGracePeriodSeconds": 20},
        "retry": {"limit": 0},
    }
    return {
        "apiVersion": "videojobs.dev/v1alpha1",
        "kind": "VideoJob",
        "metadata": {"name": name},
        "spec": {key: value for key, value in (base | spec).items() if value is not None},
    }


def shell_runner(script: str, *, image: str, **runner: Any) -> Manifest:
    """The parts of a spec that run a shell script in a foreign image."""
    return {
        "pipeline": {"custom": {"command": ["/bin/sh", "-euc", script]}},
        "runner": {"image": image, "accelerator": "None", "resources": SMALL, **runner},
        "test": None,
    }


def s3_secret(name: str, *, access: str, secret: str) -> Manifest:
    """The Secret with the fixed keys."""
    keys = {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": keys}


def example(file: str) -> Manifest:
    """
    A file of `examples/` as it is, but for the namespace and its share of the CPU.

    A pod with the usual request leaves next to nothing of a busy core to the small ones that start beside it.
    """
    manifest = dict(yaml.safe_load((EXAMPLES / file).read_text()))
    manifest["metadata"].pop("namespace", None)
    manifest["spec"]["runner"]["resources"].setdefault("requests", {})["cpu"] = REQUESTS["cpu"]
    return manifest


S3_KEYS = "resume-keys"

DEFAULT_DISRUPTIONS = (Disruption("deleted", 60), Disruption("killed", 250))
"""When and how the quickstart of the tests loses its pods."""


def with_frequent_checkpoints(manifest: Manifest) -> Manifest:
    """A manifest whose pod may go a few times."""
    often = {"checkpoint": {"intervalSeconds": 1}, "retry": {"limit": 5}}
    return manifest | {"spec": manifest["spec"] | often}


def resumable(name: str, form: Manifest, **spec: Any) -> Manifest:
    """A real rendering at 64² that saves every second."""
    pipeline = {"vqganClip": {"width": 64, "height": 64, "seed": 5, "cuts": 16, **form}}
    return with_frequent_checkpoints(videojob(name, pipeline=pipeline, test=None, **spec))


def s3_output(s3: Manifest, *, secret: str) -> Manifest:
    """An output below `runs/` of the bucket."""
    place = {"endpoint": s3["endpoint"], "region": "us-east-1", "bucket": s3["bucket"], "prefix": "runs/"}
    return {"s3": place | {"credentials": {"secretName": secret}}}
