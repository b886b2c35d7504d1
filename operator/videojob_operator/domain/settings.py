"""Settings of an installation that apply to all its VideoJobs."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class ReconcileSettings:
    """Images, the progress endpoint, what is allowed, and time limits."""

    agent_image: str
    """Image of fetch and agent: the operator's image."""

    runner_image: str
    """Image of the runner if `spec.runner.image` is absent."""

    endpoint: str
    """Base URL of the progress endpoint, https, without a trailing slash."""

    endpoint_ca: str = ""
    """PEM of the endpoint's CA; empty: the system's CAs."""

    s3_allowed_endpoints: tuple[str, ...] = ()
    """S3 endpoints that may be plain http, as `http://host[:port]`, compared exactly."""

    image_pull_policy: str | None = None
    """For all containers; None: Kubernetes' default (Always for :latest, else IfNotPresent)."""

    run_as_user: int = 65532
    """User and fsGroup of the pod unless `spec.pod.runAsUser` is set."""

    config_error_wait: timedelta = timedelta(seconds=60)
    """Time that InvalidImageName, CreateContainerConfigError and the like must persist before the job fails."""

    image_pull_wait: timedelta = timedelta(minutes=10)
    """Time that a registry must keep rejecting an image before the job fails; not answering is no rejection."""

    pod_refused_wait: timedelta = timedelta(seconds=60)
    """Time that the API server must keep rejecting a Job's pod (Pod Security …) before the job fails."""

    report_wait: timedelta = timedelta(seconds=60)
    """Time without a report from a running pod before ProgressReporting turns False."""

    report_stale: timedelta = timedelta(minutes=2)
    """Maximum age of the newest report of a running pod; agents send a heartbeat every half minute."""

    creation_retry: timedelta = timedelta(seconds=15)
    """Delay between two tries to create a Job after a transient rejection."""

    def __post_init__(self) -> None:
        if self.endpoint.endswith("/"):
            raise ValueError(f"endpoint must not end with a slash: {self.endpoint!r}")
        if self.run_as_user < 1:
            raise ValueError(
                f"run_as_user must be at least 1 (restricted pods never run as root), not {self.run_as_user}"
            )
