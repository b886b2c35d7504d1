"""Many VideoJobs at once: created by several clients, looked at together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from tests.e2e.kube import Kube, Manifest, condition, is_over

CLIENTS = 8


def create(kube: Kube, *manifests: Manifest) -> None:
    """Creates objects, shared among clients that work at the same time."""

    def one(first: int) -> None:
        kube.run("create", "-f", "-", stdin="\n---\n".join(map(json.dumps, manifests[first::CLIENTS])))

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(one, range(CLIENTS)))


def first_pods(kube: Kube, count: int, *, timeout: float) -> dict[str, Manifest]:
    """The pods of `count` VideoJobs by name, or as many as there are after `timeout` seconds."""
    pods: dict[str, Manifest] = {}
    for pod in kube.watch("pods", timeout=timeout):
        pods.setdefault(videojob_of(pod), pod)
        if len(pods) == count:
            break
    return pods


def verdicts(kube: Kube) -> dict[str, str]:
    """The reasons of all VideoJobs that are over, by name."""
    return {vj["metadata"]["name"]: condition(vj, "Succeeded")["reason"] for vj in kube.items("vj") if is_over(vj)}


def waited_longer(limit: timedelta, kube: Kube, pods: Mapping[str, Manifest]) -> list[str]:
    """The VideoJobs whose Job was without a pod for longer."""
    jobs = {videojob_of(job): created(job) for job in kube.items("jobs")}
    return [name for name, pod in pods.items() if name in jobs and created(pod) - jobs[name] > limit]


def created(thing: Manifest) -> datetime:
    """When the API server took it, in whole seconds."""
    return datetime.fromisoformat(thing["metadata"]["creationTimestamp"])


def videojob_of(thing: Manifest) -> str:
    """The name of the VideoJob that a Job or a pod belongs to."""
    return str(thing["metadata"]["labels"]["videojobs.dev/name"])
