"""
The volumes of a job's pod and their mounts; the runner gets no token and no credentials.

| volume | fetch | agent | runner |
|---|---|---|---|
| scratch at /video_io | rw | rw | rw, its `input` read-only |
| output claim at /mnt/output | rw | rw | – |
| input claims, copied | ro below /mnt/claims | – | – |
| input claims, mounted | – | – | ro below /video_io/input |
| S3 Secrets | ro | ro | – |
| token | – | ro | – |
| /tmp | shared with agent | shared with fetch | its own |
"""

from dataclasses import dataclass, field
from pathlib import PurePosixPath

from videojob_api.contract import layout
from videojob_api.messages.plan import JobRef
from videojob_api.resource.spec import VideoJobSpec
from videojob_api.resource.storage import S3Location, VolumeClaim

from videojob_operator.domain.manifests.plan import CLAIMS_ROOT, OUTPUT_MOUNT
from videojob_operator.domain.manifests.scratch import scratch_size
from videojob_operator.domain.names import AGENT, FETCH, RUNNER, JsonObject, audience

TOKEN_SECONDS = 3600
"""Lifetime of the token; the kubelet renews it at 80 % (VJ-3)."""
SECRET_FILE_MODE = 0o440
SHM_SIZE = "1Gi"


@dataclass(slots=True)
class PodVolumes:
    """Collects `volumes` of the pod and `mounts` by container."""

    volumes: list[JsonObject] = field(default_factory=list)
    mounts: dict[str, list[JsonObject]] = field(default_factory=lambda: {AGENT: [], FETCH: [], RUNNER: []})

    def add(self, name: str, **source: JsonObject) -> str:
        """Add a volume once; return its name."""
        if all(known["name"] != name for known in self.volumes):
            self.volumes.append({"name": name, **source})
        return name

    def mount(self, volume: str, path: str, *containers: str, sub_path: str = "", read_only: bool = False) -> None:
        """Mount a volume in some containers."""
        extra = ({"subPath": sub_path} if sub_path else {}) | ({"readOnly": True} if read_only else {})
        for container in containers:
            mount = {"name": volume, "mountPath": path, **extra}
            if mount not in self.mounts[container]:
                self.mounts[container].append(mount)


def build_volumes(job: JobRef, spec: VideoJobSpec) -> PodVolumes:
    """All volumes and mounts of one job."""
    volumes = PodVolumes()
    _scratch(volumes, spec)
    _claims(volumes, spec)
    _secrets(volumes, spec)
    _token(volumes, job)
    return volumes


def secret_names(spec: VideoJobSpec) -> list[str]:
    """Names of the S3 Secrets in the spec, deduplicated."""
    places = [place.credentials.secret_name for place in s3_locations(spec) if place.credentials]
    return list(dict.fromkeys(places))


def claim_names(spec: VideoJobSpec) -> list[str]:
    """Names of the volume claims in the spec, deduplicated."""
    claims = [item.pvc for item in spec.inputs or []] + [spec.output.pvc]
    return list(dict.fromkeys(claim.claim_name for claim in claims if claim))


def s3_locations(spec: VideoJobSpec) -> list[S3Location]:
    """All S3 locations that the job reads or writes."""
    places: list[S3Location | None] = [item.s3 for item in spec.inputs or []]
    return [place for place in [*places, spec.output.s3] if place is not None]


def _scratch(volumes: PodVolumes, spec: VideoJobSpec) -> None:
    limit = scratch_size(spec).limit
    io = volumes.add("io", emptyDir={"sizeLimit": limit} if limit else {})
    volumes.mount(io, layout.IO_PATH, AGENT, FETCH, RUNNER)
    volumes.mount(io, f"{layout.IO_PATH}/{layout.INPUT}", RUNNER, sub_path=layout.INPUT, read_only=True)
    volumes.mount(volumes.add("tmp", emptyDir={}), "/tmp", AGENT, FETCH)  # noqa: S108 - a mount of the pod's own
    volumes.mount(volumes.add("runner-tmp", emptyDir={}), "/tmp", RUNNER)  # noqa: S108
    size = spec.pod.shm.size if spec.pod and spec.pod.shm else SHM_SIZE
    volumes.mount(volumes.add("shm", emptyDir={"medium": "Memory", "sizeLimit": size}), "/dev/shm", RUNNER)  # noqa: S108


def _claims(volumes: PodVolumes, spec: VideoJobSpec) -> None:
    names = {name: f"claim-{number}" for number, name in enumerate(claim_names(spec))}

    def volume(claim: VolumeClaim) -> str:
        return volumes.add(names[claim.claim_name], persistentVolumeClaim={"claimName": claim.claim_name})

    for item in spec.inputs or []:
        if item.pvc and item.access == "Mount":
            path = f"{layout.IO_PATH}/{layout.INPUT}/{item.path}"
            volumes.mount(volume(item.pvc), path, RUNNER, sub_path=item.pvc.sub_path or "", read_only=True)
        elif item.pvc:
            volumes.mount(volume(item.pvc), f"{CLAIMS_ROOT}/{item.pvc.claim_name}", FETCH, read_only=True)
    if spec.output.pvc:
        # The root and not the sub path: the kubelet would create a missing sub path with rights of its own choosing.
        volumes.mount(volume(spec.output.pvc), OUTPUT_MOUNT, AGENT, FETCH)


def _secrets(volumes: PodVolumes, spec: VideoJobSpec) -> None:
    for number, name in enumerate(secret_names(spec)):
        volume = volumes.add(f"s3-{number}", secret={"secretName": name, "defaultMode": SECRET_FILE_MODE})
        volumes.mount(volume, f"{layout.CREDENTIALS_ROOT}/{name}", AGENT, FETCH, read_only=True)


def _token(volumes: PodVolumes, job: JobRef) -> None:
    path = PurePosixPath(layout.TOKEN_PATH)
    token = {
        "audience": audience(namespace=job.namespace, name=job.name, uid=job.uid),
        "expirationSeconds": TOKEN_SECONDS,
        "path": path.name,
    }
    source = {"defaultMode": SECRET_FILE_MODE, "sources": [{"serviceAccountToken": token}]}
    volumes.mount(volumes.add("token", projected=source), str(path.parent), AGENT, read_only=True)
