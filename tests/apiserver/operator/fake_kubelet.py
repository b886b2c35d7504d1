"""What a kubelet would write into a pod's status, written by a test."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.e2e.kube import Kube, Manifest

DIGEST = "sha256:" + "d" * 64


@dataclass(frozen=True)
class FakeKubelet:
    """Moves the pods of one namespace along."""

    kube: Kube

    def pod_of(self, videojob: str, *, timeout: float = 30) -> Manifest:
        """The job's pod, as soon as the Job controller has made it."""
        selector = f"videojobs.dev/name={videojob}"
        for pod in self.kube.watch("pods", "-l", selector, timeout=timeout):
            if "deletionTimestamp" not in pod["metadata"]:
                return pod
        raise AssertionError(f"no pod of {videojob} within {timeout} s")

    def starts(self, pod: Manifest) -> None:
        """All containers run."""
        running = {
            "state": {"running": {"startedAt": now()}},
            "ready": True,
            "restartCount": 0,
            "image": "x",
            "imageID": "",
        }
        fetched = running | {"state": {"terminated": terminated(0)}}
        self._write(pod, "Running", agent=running, fetch=fetched, runner=running)

    def ends(self, pod: Manifest, *, code: int, words: Manifest | None = None) -> None:
        """The runner has ended with `code`, then the agent with its last words."""
        message = json.dumps(words) if words else ""
        base = {"ready": False, "restartCount": 0, "image": "x", "imageID": ""}
        self._write(
            pod,
            "Failed" if code else "Succeeded",
            agent=base | {"state": {"terminated": terminated(0, message)}},
            fetch=base | {"state": {"terminated": terminated(0)}},
            runner=base | {"state": {"terminated": terminated(code, "a line of its log")}},
        )

    def _write(self, pod: Manifest, phase: str, *, agent: Any, fetch: Any, runner: Any) -> None:
        status = {
            "phase": phase,
            "startTime": now(),
            "initContainerStatuses": [agent | {"name": "agent"}, fetch | {"name": "fetch"}],
            "containerStatuses": [runner | {"name": "runner"}],
        }
        body = json.dumps({"status": status})
        self.kube.run("patch", "pod", pod["metadata"]["name"], "--subresource=status", "--type=merge", "-p", body)


def termination_message(uid: str, *, published: bool, **more: Any) -> Manifest:
    """The agent's termination message."""
    report = {"uid": uid, "sequence": 99, "state": "done", "percent": 100, "observedTime": now()}
    output = {"frames": 12, "bytes": 3456, "manifestDigest": DIGEST, "url": "pvc://videos/", "videos": ["sunset.mp4"]}
    return report | ({"published": output} if published else {}) | more


def now() -> str:
    """RFC 3339, whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def terminated(code: int, message: str = "") -> Manifest:
    """A container's final state."""
    reason = "Error" if code else "Completed"
    return {"exitCode": code, "reason": reason, "message": message, "startedAt": now(), "finishedAt": now()}
