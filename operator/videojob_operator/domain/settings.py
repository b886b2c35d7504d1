"""Settings of an installation that apply to all its VideoJobs."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class ReconcileSettings:
    """Images, the progress endpoint, what is allowed, and how patient the operator is."""

    agent_image: str
    """Image of fetch and agent: the operator's own."""

    runner_image: str
    """Image of the runner when `spec.runner.image` is absent."""

    endpoint: str
    """Base URL of the progress endpoint, https, without a slash at the end."""

    endpoint_ca: str = ""
    """PEM of the authority behind the endpoint; empty: the public ones."""

    s3_allowed_endpoints: tuple[str, ...] = ()
    """S3 endpoints that may be plain http, as `http://host[:port]`, compared exactly."""

    image_pull_policy: str | None = None
    """For all containers; None: Kubernetes' own default (Always for :latest, else IfNotPresent)."""

    run_as_user: int = 65532
    """User, and fsGroup, of the pod unless `spec.pod.runAsUser` says otherwise."""

    config_error_wait: timedelta = timedelta(seconds=60)
    """How long InvalidImageName, CreateContainerConfigError and the like must stand before they are a verdict."""

    image_pull_wait: timedelta = timedelta(minutes=10)
    """How long a registry must go on refusing an image before that is a verdict; one that is away refuses nothing."""

    pod_refused_wait: timedelta = timedelta(seconds=60)
    """How long the API server must go on refusing a Job's pod (Pod Security …) before that is a verdict."""

    report_wait: timedelta = timedelta(seconds=60)
    """How long a running pod may be silent before ProgressReporting turns False."""

    report_stale: timedelta = timedelta(minutes=2)
    """How old the newest report of a running pod may be; agents send a heartbeat every half minute."""

    creation_retry: timedelta = timedelta(seconds=15)
    """Pause between two tries to create a Job that was refused for a reason that may pass."""

    def __post_init__(self) -> None:
        if self.endpoint.endswith("/"):
            raise ValueError(f"endpoint must not end with a slash: {self.endpoint!r}")
        if self.run_as_user < 1:
            raise ValueError(
                f"run_as_user must be at least 1 (restricted pods never run as root), not {self.run_as_user}"
            )
