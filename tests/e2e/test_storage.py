"""Output in a bucket, with credentials that neither the operator nor the runner can read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from devcluster.cluster.kubectl import KubectlError
from devcluster.cluster.node import Node
from tests.e2e.environment import E2eEnvironment
from tests.e2e.kube import Kube, Manifest, condition, has_succeeded
from tests.e2e.manifests import s3_output, s3_secret, videojob

OPERATOR = "system:serviceaccount:videojob-system:videojob"


@pytest.fixture(scope="module")
def finished(lab: E2eEnvironment, kube: Kube) -> Manifest:
    """A TEST job that published to the bucket; while it ran, the runner's view of secrets was taken."""
    kube.apply(s3_secret("bucket-keys", access=lab.s3["access"], secret=lab.s3["secret"]))
    kube.apply(videojob("to-bucket", output=s3_output(lab.s3, secret="bucket-keys"), test={"durationSeconds": 15}))
    kube.until("vj", "to-bucket", lambda job: condition(job, "Running").get("status") == "True", timeout=60)
    pod = kube.items("pods", selector="videojobs.dev/name=to-bucket")[0]
    looks = {name: look_for_secrets(kube, pod, container=name) for name in ("runner", "agent")}
    return lab.end_of("to-bucket", timeout=90) | {"looks": looks, "pod": pod}


def look_for_secrets(kube: Kube, pod: Manifest, *, container: str) -> str:
    """What a shell in the container finds below the place of secrets."""
    script = "find /var/run/secrets -name 'AWS_*' -o -name token 2>/dev/null || true"
    return kube.run("exec", pod["metadata"]["name"], "-c", container, "--", "sh", "-c", script)


def test_everything_the_manifest_lists_lies_in_the_bucket_unchanged(
    finished: Manifest, lab: E2eEnvironment, bucket: Any
) -> None:
    assert has_succeeded(finished), finished["status"]
    prefix = f"runs/to-bucket/{finished['metadata']['uid']}/"
    manifest = json.loads(bucket.get_object(Bucket=lab.s3["bucket"], Key=prefix + "manifest.json")["Body"].read())
    assert manifest["frames"] == 12
    assert len(manifest["videos"]) == 1
    for item in manifest["files"]:
        body = bucket.get_object(Bucket=lab.s3["bucket"], Key=prefix + item["path"])["Body"].read()
        assert hashlib.sha256(body).hexdigest() == item["sha256"], item["path"]


def test_the_runner_sees_neither_keys_nor_token(finished: Manifest) -> None:
    assert finished["looks"]["runner"] == ""
    assert "AWS_SECRET_ACCESS_KEY" in finished["looks"]["agent"]
    assert "token" in finished["looks"]["agent"]


def test_the_operator_may_not_read_the_secret(finished: Manifest, kube: Kube) -> None:
    for verb in ("get", "list", "watch"):
        with pytest.raises(KubectlError):  # `can-i` says no with its exit code
            kube.run("auth", "can-i", verb, "secrets/bucket-keys", f"--as={OPERATOR}", "--quiet")
        kube.run("auth", "can-i", verb, "pods", f"--as={OPERATOR}", "--quiet")


@contextmanager
def away(node: Node, bucket: str) -> Iterator[None]:
    """The bucket is no more, and then back with all that was in it."""
    data = node.s3.folder / "data"
    (data / bucket).rename(node.s3.folder / bucket)
    try:
        yield
    finally:
        (node.s3.folder / bucket).rename(data / bucket)


def test_a_finished_film_waits_for_a_bucket_that_is_away_and_is_not_made_again(
    lab: E2eEnvironment, kube: Kube, node: Node
) -> None:
    user = node.s3.create_user("carol", secret="carol-secret-key", bucket="late")
    kube.apply(s3_secret("late-keys", access=user.access_key, secret=user.secret_key))
    output = s3_output(lab.s3 | {"bucket": user.bucket}, secret="late-keys")
    kube.apply(videojob("held", output=output, test={"durationSeconds": 5}, deadlines={"publishSeconds": 600}))
    kube.until("vj", "held", lambda job: condition(job, "Running").get("status") == "True", timeout=60)
    with away(node, user.bucket):
        waiting = kube.until("vj", "held", lambda job: "output waits" in progress(job)["message"], timeout=60)
    end = lab.end_of("held", timeout=90)
    assert progress(waiting)["state"] == "finishing"
    assert "(10 minutes): create the bucket. BucketNotFound" in progress(waiting)["message"]
    assert has_succeeded(end), end["status"]
    assert len(kube.items("pods", selector="videojobs.dev/name=held")) == 1


def progress(job: Manifest) -> Manifest:
    """The newest report in a job's status."""
    return {"message": "", **job.get("status", {}).get("progress", {})}
