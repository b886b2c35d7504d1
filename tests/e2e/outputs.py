"""What lies at a finished job's destination, in a form in which two jobs can be compared."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tests.e2e.environment import E2eEnvironment
from tests.e2e.kube import Manifest, has_succeeded


def comparable_output(lab: E2eEnvironment, bucket: Any, job: Manifest) -> dict[str, Any]:
    """
    manifest.json without what no two jobs share (name, uid, time), once the job has succeeded.

    Nothing else lies there than what it lists, each file with the digest it says.
    """
    assert has_succeeded(job), job["status"]
    files = read_output(lab, bucket, job)
    manifest = json.loads(files.pop("manifest.json"))
    assert digests(files) == {file["path"]: file["sha256"] for file in manifest["files"]}
    return comparable(manifest)


def read_output(lab: E2eEnvironment, bucket: Any, job: Manifest) -> dict[str, bytes]:
    """Every file at the destination, on the claim or in the bucket."""
    url = job["status"]["output"]["url"]
    if not url.startswith("s3://"):
        folder = lab.folder(job)
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    name = lab.s3["bucket"]
    prefix = url.removeprefix(f"s3://{name}/")
    keys = [item["Key"] for item in bucket.list_objects_v2(Bucket=name, Prefix=prefix)["Contents"]]
    return {key.removeprefix(prefix): bucket.get_object(Bucket=name, Key=key)["Body"].read() for key in keys}


def digests(files: dict[str, bytes]) -> dict[str, str]:
    """sha256 of each."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def comparable(manifest: dict[str, Any]) -> dict[str, Any]:
    """Without what the job's name is written into: the video is called `video.mp4`, the plot has a title of its own."""
    rest = {key: value for key, value in manifest.items() if key not in ("job", "created")}
    rest["files"] = [{"path": file["path"]} if file["path"] == "losses.png" else file for file in rest["files"]]
    text = json.dumps(rest).replace(f"{manifest['job']['name']}.mp4", "video.mp4")
    return dict(json.loads(text))
