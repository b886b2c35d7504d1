"""
Images for the node: built from Dockerfiles by buildah, pushed to the node's registry, named by digest.

An image is built again only when something it is made from has changed: the Dockerfile, a file that it copies, an
argument, or the base. The record of that lies in the cache folder, beside the layers.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from devcluster import paths
from devcluster.build.base_image import BASE_IMAGE, ensure_base_image
from devcluster.build.buildah import Buildah
from devcluster.build.debian import install_packages, program_path
from devcluster.cluster.network_namespace import REGISTRY_ADDRESS, NetworkNamespace
from devcluster.cluster.node_daemons import PAUSE_IMAGE
from devcluster.cluster.registry import ImageRegistry
from devcluster.errors import BuildFailed, Unsupported
from devcluster.host.file_lock import exclusive_lock
from devcluster.host.progress import timed_step

BUSYBOX = "busybox"
_OURS = Path(__file__).parents[1] / "dockerfiles"
_NEVER_COPIED = ("__pycache__", ".git", ".venv")


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildSpec:
    """What an image is made from. `context` is the folder the Dockerfile copies from."""

    dockerfile: Path
    context: Path
    target: str | None = None
    arguments: Mapping[str, str] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """A digest of everything that decides what the image becomes, but for what the network gives."""
        digest = hashlib.sha256(json.dumps([self.target, sorted(self.arguments.items())]).encode())
        digest.update(self.dockerfile.read_bytes())
        for path in self._copied():
            digest.update(f"{path.relative_to(self.context)} {path.stat().st_mode:o}\n".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def _copied(self) -> Iterator[Path]:
        for source in list_copied_sources(self.dockerfile.read_text()):
            found = sorted(self.context.glob(source.strip("/")) if source.strip("./") else [self.context])
            if not found:
                raise BuildFailed(f"{self.dockerfile} copies {source}, which does not exist in {self.context}")
            for path in found:
                yield from _files(path)


def list_copied_sources(dockerfile: str) -> list[str]:
    """What the COPY lines of a Dockerfile take from its context; what comes from other stages is left out."""
    joined = re.sub(r"\\\n", " ", dockerfile)
    lines = [shlex.split(line) for line in joined.splitlines() if re.match(r"\s*(COPY|ADD)\s", line, re.IGNORECASE)]
    own = [words for words in lines if not any(word.startswith("--from=") for word in words)]
    return [word for words in own for word in words[1:-1] if not word.startswith("--")]


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for child in sorted(path.iterdir()):
        if child.name not in _NEVER_COPIED and child.suffix != ".pyc":
            yield from _files(child)


def _names(tag: str, recipe: BuildSpec) -> tuple[str, str]:
    """An image's whole name, and the key of its record."""
    name = tag if ":" in tag else f"{tag}:devcluster"
    return name, f"{name} {recipe.fingerprint()}"


@dataclass(frozen=True, slots=True)
class ImageBuilder:
    """The images of the node in `network`, which pulls them from `registry`."""

    network: NetworkNamespace
    registry: ImageRegistry

    @property
    def buildah(self) -> Buildah:
        """The builder, whose storage is shared by all clusters of the cache folder."""
        return Buildah(paths.cache_folder() / "images")

    def build(
        self,
        dockerfile: Path,
        tag: str,
        *,
        context: Path | None = None,
        target: str | None = None,
        build_args: Mapping[str, str] | None = None,
    ) -> str:
        """
        Builds and pushes `dockerfile` as `tag` (`name` or `name:version`) unless that was done; returns the reference
        by digest that pods use. Where no registry serves the Python base image, one of Debian packages replaces it.

        Raises BuildFailed with the end of the build's output.
        """
        recipe = BuildSpec(
            dockerfile=dockerfile, context=context or dockerfile.parent, target=target, arguments=build_args or {}
        )
        name, key = _names(tag, recipe)
        known = self._record().get(key)
        if known and self.registry.has_image(known):
            return known
        with exclusive_lock(paths.cache_folder() / "images.lock"):
            self._build(recipe, name)
            reference = self._push(name, key)
            self.buildah.prune()
            return reference

    def build_layers(self, dockerfile: Path, tag: str, *, target: str | None = None) -> None:
        """Makes the layers of an image ahead, for which no node is needed: `build` will find them, and only push."""
        recipe = BuildSpec(dockerfile=dockerfile, context=dockerfile.parent, target=target)
        name, key = _names(tag, recipe)
        install_packages()
        if key not in self._record():
            with exclusive_lock(paths.cache_folder() / "images.lock"):
                self._build(recipe, name)

    def ensure_base_images(self) -> dict[str, str]:
        """The images every node needs, `pause` and `busybox`, made of the one static busybox; references by name."""
        context = paths.cache_folder() / "images" / "basics"
        context.mkdir(parents=True, exist_ok=True)
        if not (context / "busybox").exists():
            shutil.copy(program_path("busybox"), context / "busybox")
        pause = self.build(
            _OURS / "Dockerfile.pause", PAUSE_IMAGE.removeprefix(f"{REGISTRY_ADDRESS}/"), context=context
        )
        return {"pause": pause, BUSYBOX: self.build(_OURS / "Dockerfile.busybox", BUSYBOX, context=context)}

    def _build(self, recipe: BuildSpec, name: str) -> None:
        if BASE_IMAGE in recipe.dockerfile.read_text() and "BASE" not in recipe.arguments:
            ensure_base_image(self.buildah)
        with timed_step(f"image {name} built"):
            self.buildah.build(
                recipe.dockerfile,
                name,
                context=recipe.context,
                target=recipe.target,
                arguments=recipe.arguments,
            )

    def _push(self, name: str, key: str) -> str:
        if not self.network.exists:
            raise Unsupported(f"{name} cannot be pushed, the node is down: run `python -m devcluster up`")
        with timed_step(f"image {name} pushed"):
            digest = self.buildah.push(name, f"{REGISTRY_ADDRESS}/{name}", prefix=self.network.prefix)
        reference = f"{REGISTRY_ADDRESS}/{name.partition(':')[0]}@{digest}"
        self._record_file().write_text(json.dumps({**self._record(), key: reference}, indent=1))
        return reference

    def _record(self) -> dict[str, str]:
        file = self._record_file()
        return dict(json.loads(file.read_text())) if file.exists() else {}

    def _record_file(self) -> Path:
        return paths.cache_folder() / "images" / "built.json"
