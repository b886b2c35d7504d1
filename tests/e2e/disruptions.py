"""
The life of a job that is disturbed: its pod taken away at given moments, by any of the ways in which pods go.

    deleted    SIGTERM, and the grace period to save and publish: a drain, a preemption
    killed     SIGKILL for runner and agent at the same instant: a node that falls over
    forced     gone from the API at once while its containers still end: the next pod overlaps it
    suspended  by the user, who resumes it

A moment is a step whose checkpoint, or a later one, has come to the output, and a fraction of a second more.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from devcluster.build.go_build import binary_path
from devcluster.cluster.node import Node
from tests.e2e.kube import Kube, Manifest, condition, is_over
from tests.support.timeouts import Timeout

LIMIT = 600.0
"""Seconds for anything: many of these jobs share two cores."""


@dataclass(frozen=True)
class Disruption:
    """When a pod goes, and how."""

    kind: str
    step: int
    delay: float = 0.0
    """Seconds."""


@dataclass(frozen=True)
class DisruptedRun:
    """What has become of a job. `resumed_steps` has the step that each attempt after the first went on after."""

    running: Manifest
    """The job when its last runner ran."""
    end: Manifest
    resumed_steps: list[int | None]


@dataclass(frozen=True)
class Disruptor:
    """Disturbs jobs of one namespace."""

    kube: Kube
    node: Node

    def run(self, manifest: Manifest, moments: Sequence[Disruption]) -> DisruptedRun:
        """A job from its creation to its verdict."""
        name, seen = manifest["metadata"]["name"], list[Manifest]()
        self.kube.apply(manifest)
        for moment in moments:
            pod = self.next_pod(name, seen)
            self.wait_for_checkpoint(pod, moment)
            getattr(self, moment.kind)(name, pod)
            seen.append(pod)
        seen.append(self.next_pod(name, seen))
        running = self.kube.until("vj", name, partial(runs_in, seen[-1]), timeout=LIMIT)
        end = self.kube.until("vj", name, is_over, timeout=LIMIT)
        return DisruptedRun(running, end, [resumed_step(pod) for pod in seen[1:]])

    def next_pod(self, name: str, seen: Sequence[Manifest]) -> Manifest:
        """The first pod that was not seen yet, once its runner runs."""
        known = {pod["metadata"]["uid"] for pod in seen}
        for pod in self.kube.watch("pods", "-l", f"videojobs.dev/name={name}", timeout=LIMIT):
            if pod["metadata"]["uid"] not in known and container(pod, "runner").get("state", {}).get("running"):
                return pod
        raise Timeout(f"no pod of {name} after {len(seen)} earlier ones")

    def wait_for_checkpoint(self, pod: Manifest, moment: Disruption) -> None:
        """Returns when the agent has brought a checkpoint of that step to the output, and a little later."""
        for line in self.log(pod, "agent"):
            if line.get("event") == "checkpoint uploaded" and line["step"] >= moment.step:
                break
        else:
            raise Timeout(f"{pod['metadata']['name']} ended before the checkpoint of step {moment.step} was carried")
        self.kube.run("exec", pod["metadata"]["name"], "-c", "agent", "--", "sleep", f"{moment.delay:.2f}")

    def log(self, pod: Manifest, name: str) -> Iterator[dict[str, Any]]:
        """The JSON lines that a container writes, as they come, until it ends."""
        kubectl = [str(binary_path("kubectl")), f"--kubeconfig={self.kube.kubectl.kubeconfig}"]
        command = [*kubectl, f"--namespace={self.kube.namespace}", "logs", "-f", pod["metadata"]["name"], "-c", name]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            try:
                for line in process.stdout or ():
                    yield json.loads(line)
            finally:
                process.kill()

    def deleted(self, name: str, pod: Manifest) -> None:
        """SIGTERM, then the grace period."""
        self.kube.run("delete", "pod", pod["metadata"]["name"], "--wait=false")

    def forced(self, name: str, pod: Manifest) -> None:
        """The object goes at once."""
        self.kube.run("delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force", "--wait=false")

    def killed(self, name: str, pod: Manifest) -> None:
        """SIGKILL, for the agent first: it must not see the runner go."""
        for part in ("agent", "runner"):
            task = container(pod, part)["containerID"].removeprefix("containerd://")
            subprocess.run(
                [*self.node.runtime.ctr(), "tasks", "kill", "--signal=SIGKILL", task], check=True, capture_output=True
            )

    def suspended(self, name: str, pod: Manifest) -> None:
        """spec.suspend, until the pod is gone."""
        self.kube.patch("vj", name, {"spec": {"suspend": True}})
        self.kube.run("wait", f"pod/{pod['metadata']['name']}", "--for=delete", f"--timeout={LIMIT:.0f}s")
        self.kube.patch("vj", name, {"spec": {"suspend": False}})


def runs_in(pod: Manifest, job: Manifest) -> bool:
    """Whether the job says that its runner runs in this pod, or has its verdict."""
    return pod["metadata"]["name"] in condition(job, "Running").get("message", "") or is_over(job)


def container(pod: Manifest, name: str) -> dict[str, Any]:
    """The status of a pod's container; empty while there is none."""
    status = pod.get("status", {})
    states = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    return next((state for state in states if state["name"] == name), {})


def resumed_step(pod: Manifest) -> int | None:
    """What fetch has said: the step that the attempt went on after."""
    step = json.loads(container(pod, "fetch")["state"]["terminated"]["message"]).get("resumedStep")
    return None if step is None else int(step)
