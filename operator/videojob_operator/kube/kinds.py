"""The kinds of objects that the operator uses, and their API paths."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from videojob_api.base import GROUP, PLURAL, VERSION


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: `group` is empty for the core group, `plural` is used in API paths."""

    group: str
    version: str
    plural: str
    name: str

    @property
    def api_version(self) -> str:
        """apiVersion in manifests: `batch/v1`, `v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, *, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The path of a collection, an object, or its subresource; names are escaped."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if namespace is not None:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part is not None]
        return "/" + "/".join(quote(part, safe="") for part in parts)


VIDEOJOBS = Kind(GROUP, VERSION, PLURAL, "VideoJob")
JOBS = Kind("batch", "v1", "jobs", "Job")
PODS = Kind("", "v1", "pods", "Pod")
SECRETS = Kind("", "v1", "secrets", "Secret")
EVENTS = Kind("events.k8s.io", "v1", "events", "Event")
TOKEN_REVIEWS = Kind("authentication.k8s.io", "v1", "tokenreviews", "TokenReview")
CRDS = Kind("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition")
