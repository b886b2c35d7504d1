"""
What the cluster said while creating a Job: warnings of the creation's reply, why a creation was refused, and why pods
do not come. None of it is stored in any object, so it is kept here until the VideoJob is gone or over.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from videojob_operator.domain.observed import CreationProblem

MOST_WARNINGS = 5


@dataclass(slots=True)
class Note:
    """About one incarnation of a VideoJob."""

    uid: str
    said: tuple[str, ...] = ()
    problem: CreationProblem | None = None
    events: tuple[str, ...] = ()
    events_at: float | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Newest last, at most five, each once."""
        return tuple(dict.fromkeys((*self.said, *self.events)))[-MOST_WARNINGS:]


class Notes:
    """A note for each VideoJob, by uid."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._notes = clock, dict[str, Note]()

    def of(self, uid: str) -> Note:
        """The note, made when there is none."""
        return self._notes.setdefault(uid, Note(uid))

    def created(self, uid: str, *, warnings: tuple[str, ...] = ()) -> None:
        """The creation worked; earlier trouble is over."""
        note = self.of(uid)
        note.said, note.problem = warnings, None

    def refused(self, uid: str, problem: CreationProblem) -> bool:
        """The creation did not work; False when this was known."""
        note = self.of(uid)
        known, note.problem = note.problem == problem, problem
        return not known

    def wants_events(self, uid: str, *, every: float) -> bool:
        """Whether the FailedCreate events were last read more than `every` seconds ago."""
        at = self.of(uid).events_at
        return at is None or self._clock() - at >= every

    def heard(self, uid: str, events: tuple[str, ...]) -> None:
        """The FailedCreate events as they are now."""
        note = self.of(uid)
        note.events, note.events_at = events, self._clock()

    def forget(self, uid: str) -> None:
        """The VideoJob is gone."""
        self._notes.pop(uid, None)
