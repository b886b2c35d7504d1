"""The tests' workbench on the real node: the installed product, a namespace, a claim on a folder the tests can read."""

from __future__ import annotations

import subprocess
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.disruptions import DisruptedRun
from tests.e2e.kube import Kube, Manifest, is_over
from tests.support.timeouts import Timeout


@dataclass(frozen=True)
class JobRun:
    """A VideoJob from the first look to its verdict."""

    versions: list[Manifest]
    folder: Path
    """Where its output lies on the host."""

    @property
    def last(self) -> Manifest:
        """The last version seen."""
        return self.versions[-1]


@dataclass(frozen=True)
class E2eEnvironment:
    """What a test needs of the cluster."""

    kube: Kube
    volume: Path
    """The host's folder behind the claim `videos`."""
    images: dict[str, str]
    """References by digest: runner, operator, busybox."""
    s3: dict[str, Any]
    """endpoint, bucket, access, secret of the S3 server."""
    disrupted_runs: dict[str, Future[DisruptedRun]] = field(default_factory=dict)
    """Of jobs that are disturbed while other tests run."""
    background_runs: dict[str, Future[JobRun]] = field(default_factory=dict)
    """Of jobs that began ahead of their tests; see `ahead`."""

    def folder(self, videojob: Manifest) -> Path:
        """Where a job with layout PerRun publishes."""
        return self.volume / str(videojob["metadata"]["name"]) / str(videojob["metadata"]["uid"])

    def result(self, name: str) -> JobRun:
        """A job that began ahead, once it has its verdict; it may be one that is disturbed."""
        if name not in self.disrupted_runs:
            return self.background_runs[name].result()
        life = self.disrupted_runs[name].result()
        return JobRun([life.running, life.end], self.folder(life.end))

    def watch(self, manifest: Manifest, *, timeout: float) -> JobRun:
        """Applies a VideoJob and keeps every version of it until its verdict."""
        self.kube.apply(manifest)
        seen: list[Manifest] = []
        for version in self.kube.watch("vj", name=manifest["metadata"]["name"], timeout=timeout):
            seen.append(version)
            if is_over(version):
                return JobRun(seen, self.folder(version))
        raise Timeout(f"no verdict within {timeout:.0f} s; last status: {seen[-1].get('status') if seen else None}")

    def end_of(self, name: str, *, timeout: float) -> Manifest:
        """A job's last version, once it has its verdict."""
        return self.kube.until("vj", name, is_over, timeout=timeout)


@dataclass(frozen=True)
class LocalRun:
    """`videojob run` at work."""

    process: subprocess.Popen[bytes]
    output: Path

    def folder(self, *, timeout: float) -> Path:
        """Where it has published, once it has ended well."""
        assert self.process.wait(timeout) == 0
        return next(self.output.rglob("manifest.json")).parent
