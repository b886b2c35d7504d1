"""Raw objects as the API server sends them, with just what a test wants to say."""

from __future__ import annotations

from typing import Any

Raw = dict[str, Any]


def raw_videojob(name: str = "sunset", *, uid: str = "uid-1", version: str = "7", **more: Any) -> Raw:
    """A VideoJob in namespace art."""
    meta = {"name": name, "namespace": "art", "uid": uid, "resourceVersion": version, "generation": 1}
    spec = {"pipeline": {"vqganClip": {"image": {"prompts": "a red circle"}}}, "output": {"pvc": {"claimName": "v"}}}
    return {"metadata": meta | {"creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": spec} | more


def raw_job(
    name: str = "sunset-1", *, uid: str = "job-1", owner: str = "uid-1", version: str = "8", **more: Any
) -> Raw:
    """A Job of that VideoJob."""
    reference = {"uid": owner, "kind": "VideoJob", "controller": True, "name": "sunset"}
    meta = {"name": name, "namespace": "art", "uid": uid, "resourceVersion": version, "ownerReferences": [reference]}
    labels = {"videojobs.dev/managed": "true", "videojobs.dev/name": "sunset"}
    return {"metadata": meta | {"labels": labels, "creationTimestamp": "2026-01-01T00:00:01Z"}, "spec": {}} | more


def raw_pod(
    name: str = "sunset-1-x", *, uid: str = "pod-1", job: str = "job-1", version: str = "9", **more: Any
) -> Raw:
    """A pod of that Job."""
    reference = {"uid": job, "kind": "Job", "controller": True, "name": "sunset-1"}
    meta = {"name": name, "namespace": "art", "uid": uid, "resourceVersion": version, "ownerReferences": [reference]}
    labels = {"videojobs.dev/managed": "true", "videojobs.dev/name": "sunset"}
    return {"metadata": meta | {"labels": labels, "creationTimestamp": "2026-01-01T00:00:02Z"}, "spec": {}} | more


def raw_refusal(name: str = "sunset-1.17", *, job: str = "job-1", **more: Any) -> Raw:
    """A FailedCreate event about that Job, as the Job controller's recorder writes it."""
    meta = {"name": name, "namespace": "art", "creationTimestamp": "2026-01-01T12:00:00Z"}
    times = {"deprecatedFirstTimestamp": "2026-01-01T12:00:00Z", "deprecatedLastTimestamp": "2026-01-01T12:01:00Z"}
    note = 'pods "sunset-1-x" is forbidden: exceeded quota: gpus'
    about = {"regarding": {"kind": "Job", "name": "sunset-1", "uid": job}, "reason": "FailedCreate"}
    return {"metadata": meta, "eventTime": None, "note": note, **times, **about} | more
