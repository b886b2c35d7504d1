"""
Staying after COMPLETED until the agent has published.

A pod ends when its main container does, and what the agent may do afterwards is bounded by the grace period; a large
video may need longer. So our runner, when the pod's environment says that an agent is there, waits for its word. It
needs no deadline of its own: a natural end has none, and on deletion the kubelet's grace period is one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError
from videojob_api.contract.layout import ACKNOWLEDGEMENT_FILE
from videojob_api.messages.report import Acknowledgement

from videojob_runner.errors import NotPublished

POLL_SECONDS = 0.2


def wait_until_published(root: Path, uid: str, *, sleep: Callable[[float], object]) -> None:
    """Returns when the agent says that it has published the job `uid`; raises NotPublished when it has given up."""
    while (word := read_acknowledgement(root, uid)) is None:
        sleep(POLL_SECONDS)
    if not word.published:
        raise NotPublished(word.failure.message if word.failure else "the agent gave no reason")


def read_acknowledgement(root: Path, uid: str) -> Acknowledgement | None:
    """The agent's word on this job; None while there is none, or only half of one, or one on another job."""
    try:
        word = Acknowledgement.model_validate_json((root / ACKNOWLEDGEMENT_FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return word if word.uid == uid else None
