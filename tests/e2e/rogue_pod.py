"""A pod of the same namespace that speaks to the progress endpoint with tokens it should not have."""

from __future__ import annotations

from dataclasses import dataclass

from tests.e2e.kube import Kube, Manifest

SYSTEM = "videojob-system"
NAME = "intruder"
POST = """
import sys, urllib3
urllib3.disable_warnings()
url, token = sys.argv[1:3]
pool = urllib3.PoolManager(cert_reqs="CERT_NONE", retries=False, timeout=10)
answer = pool.request("POST", url, body=sys.stdin.buffer.read(), headers={"Authorization": "Bearer " + token,
                      "Content-Type": "application/json"})
print(answer.status)
"""


def audience(job: Manifest) -> str:
    """The audience a report for this job must carry."""
    meta = job["metadata"]
    return f"videojobs.dev/status/{meta['namespace']}/{meta['name']}/{meta['uid']}"


def idle_pod(name: str, *, image: str) -> Manifest:
    """A pod that does nothing, within the restricted profile."""
    restricted = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {"name": "main", "image": image, "command": ["sleep", "600"], "securityContext": restricted}
    container["resources"] = {"requests": {"cpu": "200m"}}  # or it gets next to nothing while others render
    security = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"containers": [container], "securityContext": security, "terminationGracePeriodSeconds": 0}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


@dataclass(frozen=True)
class RoguePod:
    """The pod, and the ways it comes by tokens."""

    kube: Kube
    image: str

    @classmethod
    def start(cls, kube: Kube, *, image: str) -> RoguePod:
        """Starts the pod and waits until it can act."""
        kube.apply(idle_pod(NAME, image=image))
        kube.run("wait", "pod", NAME, "--for=condition=Ready", "--timeout=60s")
        return cls(kube, image)

    def post(self, job: Manifest, *, token: str, body: str) -> int:
        """The HTTP code of a report for `job` with this token."""
        meta = job["metadata"]
        path = f"/v1/namespaces/{meta['namespace']}/videojobs/{meta['name']}/progress"
        url = f"https://videojob.{SYSTEM}.svc.cluster.local:8443{path}"
        command = ("exec", "-i", NAME, "--", "python3", "-c", POST, url, token)
        return int(self.kube.run(*command, stdin=body))

    def token_of(self, job: Manifest) -> str:
        """The honest token of a job's agent, taken by somebody who may exec."""
        pod = self.kube.items("pods", selector=f"videojobs.dev/name={job['metadata']['name']}")[0]
        path = "/var/run/secrets/videojob/token"
        return self.kube.run("exec", pod["metadata"]["name"], "-c", "agent", "--", "cat", path).strip()

    def forge_token(self, audience: str) -> str:
        """A token bound to the intruder's own pod, which anybody who may create tokens gets."""
        return self._bound(NAME, audience)

    def token_of_a_deleted_pod(self, audience: str) -> str:
        """A token whose pod is gone."""
        self.kube.apply(idle_pod("short-lived", image=self.image))
        self.kube.run("wait", "pod", "short-lived", "--for=condition=Ready", "--timeout=60s")
        token = self._bound("short-lived", audience)
        self.kube.delete("pod", "short-lived")
        return token

    def _bound(self, pod: str, audience: str) -> str:
        binding = ("--bound-object-kind", "Pod", "--bound-object-name", pod)
        return self.kube.run("create", "token", "default", "--audience", audience, *binding).strip()

    def metrics(self) -> str:
        """The operator's metrics."""
        path = f"/api/v1/namespaces/{SYSTEM}/services/videojob:metrics/proxy/metrics"
        return self.kube.run("get", "--raw", path)
