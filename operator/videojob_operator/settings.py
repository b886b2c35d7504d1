"""
The operator's settings: environment variables, read once and typed; errors name the variable.

The chart sets them from its values; `videojob-operator --help` prints them. Defaults are those of the chart.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from videojob_operator.domain.settings import ReconcileSettings

PREFIX = "VIDEOJOB_"


class InvalidSetting(ValueError):
    """An environment variable is missing or invalid."""


def split_csv(value: object) -> object:
    """Split comma-separated values into a tuple."""
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


CsvList = Annotated[tuple[str, ...], BeforeValidator(split_csv)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class OperatorSettings(BaseModel):
    """One attribute per variable `VIDEOJOB_<NAME IN CAPITALS>`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    namespace: Annotated[str, Field(min_length=1)]
    """The operator's namespace, which contains its Service and its TLS Secret."""
    agent_image: Annotated[str, Field(min_length=1)]
    """Image of fetch and agent: the operator's own."""
    runner_image: str = ""
    """Image of the runner for VideoJobs that specify none."""
    service: str = "videojob"
    """Name of the Service in front of the report endpoint."""
    service_port: Port = 8443
    """Its port."""
    tls_secret: str = "videojob-tls"  # noqa: S105 - a name, not a secret
    """Name of the Secret (empty at first) that holds the report endpoint's certificates."""
    watch_namespaces: CsvList = ()
    """Namespaces to manage, comma-separated; empty: all."""
    s3_allowed_endpoints: CsvList = ()
    """S3 endpoints that may be plain http, comma-separated, as http://host[:port]."""
    image_pull_policy: Literal["", "Always", "IfNotPresent", "Never"] = ""
    """For all containers of the job pods; empty: Kubernetes' default."""
    bind: str = ""
    """Address to listen on; empty: all."""
    status_port: Port = 8443
    """Port of the report endpoint (https); 0: any."""
    metrics_port: Port = 8080
    """Port of /metrics, /healthz and /readyz (http); 0: any."""
    instance: str = "videojob-operator"
    """reportingInstance of events: the pod's name."""
    version: str = "0"
    """Version of this build; set by the image."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Log level."""
    sweep_seconds: Seconds = 600
    """Seconds between two relists of all VideoJobs."""
    watch_silence_seconds: Seconds = 100
    """Seconds without an event or bookmark after which a watch is reopened."""
    health_watch_seconds: Seconds = 150
    """Seconds without a sign of life from a watch after which the liveness probe fails."""
    config_error_wait_seconds: Seconds = 60
    """Seconds that InvalidImageName, CreateContainerConfigError and the like must persist before the job fails."""
    image_pull_wait_seconds: Seconds = 600
    """Seconds that a registry must keep rejecting an image before the job fails."""
    pod_refused_wait_seconds: Seconds = 60
    """Seconds that the API server must keep rejecting a Job's pod before the job fails."""
    report_wait_seconds: Seconds = 60
    """Seconds without a report from a running pod before ProgressReporting turns False."""

    @property
    def watch_scopes(self) -> tuple[str | None, ...]:
        """Scopes of lists and watches: each namespace, or (None,) for all."""
        return self.watch_namespaces or (None,)

    @property
    def dns_names(self) -> tuple[str, ...]:
        """DNS names of the Service, shortest first."""
        full = f"{self.service}.{self.namespace}.svc"
        return (self.service, f"{self.service}.{self.namespace}", full, f"{full}.cluster.local")

    def reconcile_settings(self, *, authority: str) -> ReconcileSettings:
        """The settings of `decide`; `authority` is the PEM of the operator's CA."""
        return ReconcileSettings(
            agent_image=self.agent_image,
            runner_image=self.runner_image,
            endpoint=f"https://{self.service}.{self.namespace}.svc:{self.service_port}",
            endpoint_ca=authority,
            s3_allowed_endpoints=self.s3_allowed_endpoints,
            image_pull_policy=self.image_pull_policy or None,
            config_error_wait=timedelta(seconds=self.config_error_wait_seconds),
            image_pull_wait=timedelta(seconds=self.image_pull_wait_seconds),
            pod_refused_wait=timedelta(seconds=self.pod_refused_wait_seconds),
            report_wait=timedelta(seconds=self.report_wait_seconds),
        )


def from_environment(environment: Mapping[str, str]) -> OperatorSettings:
    """Read the settings from an environment. Raises InvalidSetting naming the variable; other variables are ignored."""
    found: dict[str, Any] = {
        name: environment[PREFIX + name.upper()]
        for name in OperatorSettings.model_fields
        if PREFIX + name.upper() in environment
    }
    try:
        return OperatorSettings.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        variable = PREFIX + str(first["loc"][0]).upper()
        raise InvalidSetting(f"{variable}: {first['msg']} (found {first.get('input')!r})") from None


def settings_table() -> str:
    """All variables with their defaults, for `--help`."""
    lines = [
        f"  {PREFIX}{name.upper():<26} {format_default(field.default)}"
        for name, field in OperatorSettings.model_fields.items()
    ]
    return "\n".join(("Environment variables and their defaults:", *lines, "KUBECONFIG is read outside a cluster."))


def format_default(default: object) -> str:
    """A default as text."""
    if repr(default) == "PydanticUndefined":
        return "(required)"
    return ",".join(default) if isinstance(default, tuple) else str(default)
