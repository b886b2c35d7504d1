"""The image registry on the node's own loopback: plain HTTP is expected there, and nobody else can reach it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

from devcluster import paths
from devcluster.build.go_build import binary_path
from devcluster.cluster.network_namespace import REGISTRY_ADDRESS

REGISTRY_ENVIRONMENT = {"OTEL_TRACES_EXPORTER": "none"}
"""It would look for a collector of traces otherwise."""


@dataclass(frozen=True, slots=True)
class ImageRegistry:
    """A registry whose images lie in the cache folder: they outlive the cluster that pulls them."""

    config: Path

    @property
    def storage(self) -> Path:
        """Where the images lie."""
        return paths.cache_folder() / "registry"

    def command(self) -> list[str | Path]:
        """The daemon's command."""
        self._configure()
        return [binary_path("registry"), "serve", self.config]

    def collect_garbage(self) -> None:
        """Removes images that no name stands for any more; must not run while the registry does."""
        if self.storage.exists():
            self._configure()
            options = ("--delete-untagged", "--quiet")
            command: list[str | Path] = [binary_path("registry"), "garbage-collect", *options, self.config]
            subprocess.run(command, env={**os.environ, **REGISTRY_ENVIRONMENT}, capture_output=True, check=False)

    def has_image(self, reference: str) -> bool:
        """Whether `reference` (`registry/name@sha256:…`) is in store."""
        name, _, digest = reference.removeprefix(f"{REGISTRY_ADDRESS}/").partition("@sha256:")
        revisions = self.storage / "docker/registry/v2/repositories" / name / "_manifests/revisions/sha256"
        return bool(digest) and (revisions / digest / "link").exists()

    def _configure(self) -> None:
        document = {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(self.storage)}, "delete": {"enabled": True}},
            "http": {"addr": REGISTRY_ADDRESS},
        }
        self.config.write_text(yaml.safe_dump(document))
