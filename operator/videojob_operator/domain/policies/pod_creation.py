"""
A Job without a pod: rejected by the API server, waiting for a quota, or not processed yet.

A Job does not report why it has no pod; only FailedCreate events do. Without such an event the only evidence is of a
Job controller that is slow, behind or stopped, which is never the job's fault.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from videojob_operator.domain.observation.observed import PodRefusal
from videojob_operator.domain.transient_errors import is_transient

QUOTA_PHRASES = ("exceeded quota", "insufficient quota")
TRANSIENT_PHRASES = (
    "error looking up service account",  # a new namespace's own account may be late
    "failed calling webhook",
    "failed to call webhook",
    "internal error occurred",
    "object has been modified",
    "status unknown for quota",
    "the server is currently unable",
    "unauthorized",  # the Job controller itself
    "x509: ",
)
"""
Phrases of an API server or webhook that could not decide: quota, webhook and storage errors of kube-apiserver 1.34.
"""
MESSAGE_STEPS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 720, 1440))
"""Wait times that the message names; then once a day. Each new message is a status write."""
DAY = MESSAGE_STEPS[-1]
MAX_JOB_BACKOFF = timedelta(minutes=10)
"""Maximum backoff of the Job controller between two pods of a Job (Kubernetes 1.34)."""
_VARIABLE_PARTS = re.compile(
    r"^\(combined from similar events\): |Error creating: |pods? \"[^\"]*\" is (forbidden|invalid): "
    r"|, used: .*?(?=, limited:)",
    re.IGNORECASE,
)
"""Parts of a FailedCreate message that differ between equal refusals."""


@dataclass(frozen=True, slots=True)
class RefusalSummary:
    """Summary of a Job's FailedCreate events. `repeated_for`: how long only the newest kind has been recorded."""

    kind: Literal["refused", "quota", "transient"]
    message: str
    repeated_for: timedelta


def classify(message: str) -> Literal["refused", "quota", "transient"]:
    """Classify a FailedCreate message: rejection of the pod, missing quota, or fault of the API server."""
    text = normalize_message(message).lower()
    if any(phrase in text for phrase in QUOTA_PHRASES):
        return "quota"
    return "transient" if is_transient(text) or any(phrase in text for phrase in TRANSIENT_PHRASES) else "refused"


def summarize_refusals(refusals: Iterable[PodRefusal], *, since: datetime, now: datetime) -> RefusalSummary | None:
    """Summarize the refusals since the current wait began; None if there are none. Their clock may be ahead."""
    recent = sorted((each for each in refusals if each.last >= since), key=lambda each: (each.last, each.created))
    if not recent:
        return None
    newest, kind = recent[-1], classify(recent[-1].message)
    first = min(each.created for each in recent if classify(each.message) == kind)
    others = max((each.last for each in recent if classify(each.message) != kind), default=since)
    return RefusalSummary(kind, normalize_message(newest.message), min(newest.last, now) - max(first, others, since))


def normalize_message(message: str) -> str:
    """The message without the pod's random name and a quota's current use, equal for equal refusals."""
    return _VARIABLE_PARTS.sub("", message)


def reached_step(waited: timedelta) -> timedelta:
    """The last of `MESSAGE_STEPS` (or whole days) that has passed; zero before the first."""
    if waited >= DAY:
        return DAY * (waited // DAY)
    return max((step for step in MESSAGE_STEPS if step <= waited), default=timedelta(0))


def until_next_step(waited: timedelta) -> timedelta:
    """Time until `reached_step` changes."""
    next_step = DAY * (waited // DAY + 1) if waited >= DAY else next(step for step in MESSAGE_STEPS if step > waited)
    return next_step - waited


def duration_text(span: timedelta) -> str:
    """The number of full days, hours or minutes: `5 minutes`, `1 hour`."""
    for unit, size in (("day", DAY), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1))):
        if span >= size:
            count = span // size
            return f"{count} {unit}" + ("s" if count != 1 else "")
    return "less than a minute"


def no_pod_message(waited: timedelta, *, is_replacement: bool, serves_others: bool) -> str:
    """The message for a Job without a pod and without a refusal; `is_replacement`: it has had a pod before."""
    pod = "the next pod" if is_replacement else "a pod"
    step = reached_step(waited)
    if not step:
        return f"the Job controller has not created {pod} yet"
    text = f"the Job controller has not created {pod} for {duration_text(step)}"
    if is_replacement and step < MAX_JOB_BACKOFF:
        return f"{text}; after a failed attempt it backs off for up to {duration_text(MAX_JOB_BACKOFF)}"
    if serves_others:
        return f"{text}; it is creating pods for other Jobs, so it is behind"
    return f"{text}, nor for any other VideoJob: check that kube-controller-manager is running"
