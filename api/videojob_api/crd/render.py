"""Renders the CustomResourceDefinition as YAML."""

from __future__ import annotations

from typing import Any

import yaml

from videojob_api.base import GROUP, KIND, PLURAL, SCHEMA_REVISION, VERSION
from videojob_api.crd.schema import structural_schema
from videojob_api.resource.spec import VideoJobSpec
from videojob_api.resource.status import DEFAULT_CONDITIONS, VideoJobStatus
from videojob_api.resource.videojob import Metadata

HEADER = "# Generated from the models in api/videojob_api by `make generate`. Do not edit.\n"

PRINTER_COLUMNS = (
    ("State", "string", ".status.state", 0),
    ("Progress", "integer", ".status.progress.percent", 0),
    ("Frames", "string", ".status.progress.frames", 0),
    ("Attempt", "integer", ".status.attempt", 1),
    ("Reason", "string", '.status.conditions[?(@.type=="Succeeded")].reason', 1),
    ("Output", "string", ".status.output.url", 1),
    ("Age", "date", ".metadata.creationTimestamp", 0),
)
"""Name, type, path and priority of `kubectl get`'s columns; priority 1 only with `-o wide`."""


def build_crd() -> dict[str, Any]:
    """Return the CustomResourceDefinition as a dictionary."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{PLURAL}.{GROUP}",
            "labels": {"app.kubernetes.io/name": "videojob", f"{GROUP}/schema-revision": str(SCHEMA_REVISION)},
        },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["vj"],
                "categories": [PLURAL],
            },
            "versions": [_version()],
        },
    }


def _version() -> dict[str, Any]:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "selectableFields": [{"jsonPath": ".status.state"}],
        "additionalPrinterColumns": [
            {"name": name, "type": kind, "jsonPath": path, **({"priority": priority} if priority else {})}
            for name, kind, path, priority in PRINTER_COLUMNS
        ],
        "schema": {"openAPIV3Schema": _schema()},
    }


def _schema() -> dict[str, Any]:
    # A default of a field within status has no effect while status is absent: the object itself needs one.
    status = structural_schema(VideoJobStatus, defaults=False)
    status["default"] = {"observedGeneration": -1, "conditions": list(DEFAULT_CONDITIONS)}
    return {
        "type": "object",
        "description": "A video to render: pipeline, inputs and output.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}"},
            "kind": {"type": "string", "description": KIND},
            "metadata": {"type": "object", "properties": {"name": structural_schema(Metadata)["properties"]["name"]}},
            "spec": structural_schema(VideoJobSpec),
            "status": status,
        },
    }


class _Dumper(yaml.SafeDumper):
    """Block style without anchors, lists indented, as people write Kubernetes manifests."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)


def render_yaml() -> str:
    """Return the CustomResourceDefinition as YAML text."""
    text: str = yaml.dump(build_crd(), Dumper=_Dumper, sort_keys=False, width=120)
    return HEADER + text
