"""kubectl as the tests use it: apply, get, and waiting by watching, never by sleeping."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from devcluster.cluster.kubectl import Kubectl
from tests.support.timeouts import Timeout

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Kube:
    """kubectl, bound to one namespace of the cluster."""

    kubectl: Kubectl
    namespace: str = "default"

    def at(self, namespace: str) -> Kube:
        """The same cluster, another namespace."""
        return replace(self, namespace=namespace)

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """What one kubectl call prints; raises KubectlError with what it complains about."""
        return self.kubectl(f"--namespace={self.namespace}", *arguments, stdin=stdin)

    def apply(self, *manifests: Manifest) -> None:
        """Server-side apply of all manifests."""
        text = "\n---\n".join(json.dumps(manifest) for manifest in manifests)
        self.run("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)

    def get(self, kind: str, name: str) -> Manifest:
        """One object."""
        return dict(json.loads(self.run("get", kind, name, "-o", "json")))

    def find(self, kind: str, name: str) -> Manifest | None:
        """One object, or None when there is none."""
        text = self.run("get", kind, name, "-o", "json", "--ignore-not-found")
        return dict(json.loads(text)) if text.strip() else None

    def items(self, kind: str, *, selector: str = "") -> list[Manifest]:
        """All objects of a kind with these labels."""
        return list(json.loads(self.run("get", kind, "-l", selector, "-o", "json"))["items"])

    def patch(self, kind: str, name: str, patch: Manifest) -> None:
        """A merge patch."""
        self.run("patch", kind, name, "--type", "merge", "-p", json.dumps(patch))

    def delete(self, kind: str, *names: str, wait: bool = True) -> None:
        """Deletes, by default until gone."""
        self.run("delete", kind, *names, "--ignore-not-found", f"--wait={str(wait).lower()}", "--timeout=90s")

    def watch(self, kind: str, *options: str, name: str | None = None, timeout: float) -> Iterator[Manifest]:
        """Every version of one object, or of those that `options` select, for at most `timeout` seconds."""
        return self.kubectl.watch(kind, f"--namespace={self.namespace}", *options, name=name, timeout=timeout)

    def until(self, kind: str, name: str, true: Callable[[Manifest], bool], *, timeout: float) -> Manifest:
        """The first version of an object for which `true` holds."""
        last: Manifest = {}
        for last in self.watch(kind, name=name, timeout=timeout):
            if true(last):
                return last
        raise Timeout(f"{kind}/{name} within {timeout:.0f} s; last seen: {json.dumps(last.get('status'), indent=1)}")

    def until_gone(self, kind: str, *, selector: str, timeout: float) -> None:
        """Waits until no such object is left."""
        if self.items(kind, selector=selector):
            self.run("wait", kind, "-l", selector, "--for=delete", f"--timeout={timeout:.0f}s")

    @contextmanager
    def scratch_namespace(self, name: str, *, labels: dict[str, str]) -> Iterator[Kube]:
        """A namespace of its own, deleted with everything in it."""
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        try:
            yield self.at(name)
        finally:
            self.run("delete", "namespace", name, "--wait=false")


def condition(resource: Manifest, kind: str) -> Manifest:
    """The condition of a type, or an empty one."""
    found = [item for item in resource.get("status", {}).get("conditions", []) if item["type"] == kind]
    return dict(found[0]) if found else {}


def is_over(resource: Manifest) -> bool:
    """Whether a VideoJob has its verdict."""
    return condition(resource, "Succeeded").get("status") in ("True", "False")


def has_succeeded(resource: Manifest) -> bool:
    """Whether a VideoJob succeeded."""
    return condition(resource, "Succeeded").get("status") == "True"


def names(objects: Sequence[Manifest]) -> list[str]:
    """Names of objects."""
    return [str(item["metadata"]["name"]) for item in objects]
