"""A job whose pod is taken away goes on where it was, and its output is that of a job that was left alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.e2e.kube import Manifest, has_succeeded
from tests.e2e.lab import Lab
from tests.e2e.lives import Life
from tests.e2e.manifests import RESUMED_AT


@pytest.fixture(scope="module")
def undisturbed(lab: Lab) -> Mapping[str, Any]:
    """The manifest of the run that was left alone."""
    return published(lab, lab.lives["undisturbed"].result().end)


def published(lab: Lab, end: Manifest) -> dict[str, Any]:
    """manifest.json of a run on the claim, without what no two runs share."""
    assert has_succeeded(end), end["status"]
    return comparable(json.loads((lab.folder(end) / "manifest.json").read_text()))


def comparable(manifest: dict[str, Any]) -> dict[str, Any]:
    """A manifest.json without the job's name, uid and time; the video is named by the job."""
    name = f"{manifest.pop('job')['name']}.mp4"
    del manifest["created"]
    text = json.dumps(manifest).replace(name, "video.mp4")
    return dict(json.loads(text))


def test_a_pod_that_is_told_to_stop_saves_and_the_next_one_goes_on(lab: Lab, undisturbed: Mapping[str, Any]) -> None:
    life = lab.lives["deleted"].result()
    went_on(life)
    assert published(lab, life.end) == undisturbed
    assert not (lab.folder(life.end) / "checkpoints").exists()


def test_a_pod_that_is_killed_goes_on_from_the_last_checkpoint_in_the_bucket(
    lab: Lab, undisturbed: Mapping[str, Any], bucket: Any
) -> None:
    life = lab.lives["killed"].result()
    went_on(life)
    assert has_succeeded(life.end), life.end["status"]
    prefix = f"runs/killed/{life.end['metadata']['uid']}/"
    keys = [item["Key"] for item in bucket.list_objects_v2(Bucket=lab.s3["bucket"], Prefix=prefix)["Contents"]]
    manifest = json.loads(bucket.get_object(Bucket=lab.s3["bucket"], Key=prefix + "manifest.json")["Body"].read())
    assert sorted(keys) == sorted(prefix + each["path"] for each in [*manifest["files"], {"path": "manifest.json"}])
    assert comparable(manifest) == undisturbed


def went_on(life: Life) -> None:
    """The second attempt was really a continuation."""
    assert life.end["status"]["attempt"] == 2, life.end["status"]
    [step] = life.resumed
    assert step is not None
    assert step >= RESUMED_AT
