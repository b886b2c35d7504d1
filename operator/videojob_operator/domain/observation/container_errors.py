"""
Errors that keep a container from starting, and which of them are evidence against the job.

A registry that answers "not found" has rejected the image; one that does not answer has rejected nothing, and the
kubelet keeps retrying. The same holds for the container runtime: an invalid configuration stays invalid, a runtime that
timed out is busy. Only rejections lead to a verdict of their own; other errors end with `deadlines.startSeconds`.

The phrases are those of containerd 2.x and CRI-O in the kubelet's ErrImagePull and Create/RunContainerError.
"""

import re

from videojob_operator.domain.observation.observed import ObservedContainer
from videojob_operator.domain.transient_errors import is_transient

CONFIG_ERRORS = frozenset(
    {
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ImageInspectError",
        "InvalidImageName",
        "RunContainerError",
    }
)
PULL_ERRORS = frozenset({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"})
IMAGE_REFUSALS = (
    "authentication required",
    "authorization failed",
    "denied",
    "forbidden",
    "insufficient_scope",
    "invalid reference",
    "manifest unknown",
    "name unknown",
    "no match for platform",
    "not found",
    "repository does not exist",
    "unauthorized",
)
RUNTIME_FAULTS = (
    "cannot construct envvars",  # a kubelet that has just started and not heard of any service
    "is reserved for",
    "no space left on device",
)
_REFERENCE = re.compile(r"\S*/\S*")
"""An image name or a URL; ignored when phrases are searched."""


def error_class(container: ObservedContainer) -> str:
    """`pull`, `config`, or empty if the container is not waiting because of an error."""
    if container.waiting_reason in PULL_ERRORS:
        return "pull"
    return "config" if container.waiting_reason in CONFIG_ERRORS else ""


def is_refusal(container: ObservedContainer) -> bool:
    """True if the error is a rejection, and not merely a missing answer."""
    text = container.waiting_message.lower()
    if error_class(container) == "pull":
        bare = _REFERENCE.sub("", text)
        return any(phrase in bare for phrase in IMAGE_REFUSALS)
    is_fault = is_transient(text) or any(phrase in text for phrase in RUNTIME_FAULTS)
    return error_class(container) == "config" and not is_fault


def is_backoff_only(container: ObservedContainer) -> bool:
    """True if it reports only the kubelet's backoff, as kubelets before 1.31 do, and not the error itself."""
    return container.waiting_reason == "ImagePullBackOff" and "ErrImagePull" not in container.waiting_message
