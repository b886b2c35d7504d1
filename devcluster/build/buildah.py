"""
buildah as it comes unpacked from Debian: storage and configuration in the cache folder, no daemon, chroot builds.

A build runs in the machine's normal network and trusts what the machine trusts. Only the push enters the cluster's
namespace, where the registry is.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devcluster.build.debian import library_wrapper, program_path
from devcluster.errors import BuildFailed
from devcluster.host.mounts import buildah_storage_driver

_CERTIFICATES = ("/etc/ssl/certs", "/usr/local/share/ca-certificates")
_PASSED_ON = (
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL"),
)
_POLICY = '{"default": [{"type": "insecureAcceptAnything"}]}\n'
_REGISTRIES = 'unqualified-search-registries = ["docker.io"]\n'


@dataclass(frozen=True, slots=True)
class Buildah:
    """buildah with its storage below `folder`."""

    folder: Path

    def build(
        self, dockerfile: Path, name: str, *, context: Path, target: str | None, arguments: Mapping[str, str]
    ) -> None:
        """Builds `dockerfile` as `name`; its output goes to a log, whose end the BuildFailed carries."""
        chosen = ["--target", target] if target else []
        passed = {key: os.environ[key] for key in _PASSED_ON if os.environ.get(key)}
        given = [f"--build-arg={key}={value}" for key, value in {**passed, **arguments}.items()]
        trusted = [f"--volume={path}:{path}:ro" for path in _CERTIFICATES if Path(path).exists()]
        self.run(
            *("build", "--isolation=chroot", "--layers", "--pull=false", "--format=oci"),
            *(f"--signature-policy={self._policy}", f"--file={dockerfile}"),
            *(*chosen, *given, *trusted, "--tag", name, str(context)),
            log=self.folder / "logs" / f"{name.replace('/', '-').replace(':', '-')}.log",
        )

    def push(self, name: str, reference: str, *, prefix: tuple[str, ...]) -> str:
        """Pushes image `name` to the registry address `reference` from inside the network `prefix` enters."""
        digest = self.folder / "digest"
        # A registry is always given packed layers; this way of packing takes the least time.
        packed = ("--tls-verify=false", "--compression-format=zstd", "--compression-level=1")
        files = (f"--digestfile={digest}", f"--signature-policy={self._policy}")
        self.run("push", "--quiet", *packed, *files, name, f"docker://{reference}", prefix=prefix)
        return digest.read_text().strip()

    def prune(self) -> None:
        """
        Removes what builds that were killed left, and layers that no named image stands on any more.

        Without it a change of the dependencies costs gigabytes for ever. No build may run meanwhile.
        """
        self.run("rm", "--all")
        self.run("rmi", "--prune")

    def pull(self, name: str, *, seconds: float) -> None:
        """Pulls image `name` from its registry; raises BuildFailed when that cannot be done within `seconds`."""
        self.run("pull", "--quiet", f"--signature-policy={self._policy}", name, seconds=seconds)

    def has_image(self, name: str) -> bool:
        """Whether image `name` is in the storage."""
        return name in self.run("images", "--all", "--format", "{{.Name}}:{{.Tag}}").split()

    def run(self, *arguments: str, prefix: tuple[str, ...] = (), log: Path | None = None, seconds: float = 3600) -> str:
        """Runs buildah for at most `seconds`; returns what it prints, and keeps it in `log` when given."""
        store = ("--root", str(self.folder / "store"), "--runroot", str(self.folder / "run"))
        driver = ("--storage-driver", buildah_storage_driver(self.folder))
        registries = ("--registries-conf", str(self._registries))
        self._prepare()
        done = subprocess.run(
            [
                "timeout",
                str(seconds),
                *prefix,
                *library_wrapper(),
                str(program_path("buildah")),
                *store,
                *driver,
                *registries,
                *arguments,
            ],
            # The machine's own container settings, if any, speak of other storage.
            env={**os.environ, "TMPDIR": str(self.folder / "tmp"), "CONTAINERS_CONF": "/dev/null"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if log:
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text(done.stdout)
        if done.returncode:
            end = "\n".join(done.stdout.splitlines()[-25:])
            raise BuildFailed(f"buildah {arguments[0]} failed{f' (full log: {log})' if log else ''}:\n{end}")
        return done.stdout

    def _prepare(self) -> None:
        (self.folder / "tmp").mkdir(parents=True, exist_ok=True)
        self._registries.write_text(_REGISTRIES)
        self._policy.write_text(_POLICY)

    @property
    def _registries(self) -> Path:
        return self.folder / "registries.conf"

    @property
    def _policy(self) -> Path:
        return self.folder / "policy.json"
