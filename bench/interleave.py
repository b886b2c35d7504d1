"""
Runs benchmark processes interleaved, one process per implementation.

In turn, so that whatever else the machine does slows all of them alike; apart, so that each has its own peak of memory,
its own random state and, if need be, its own versions of libraries. A contestant is any program that prints a line of
JSON when it is ready, and one more for each word that it reads. `serve` is the main loop of one written in Python.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

Answer = dict[str, Any]
Commands = Mapping[str, Callable[[], Answer]]


def serve(prepare: Callable[[], Commands]) -> None:
    """
    Answers the words on stdin by what `prepare` returns for them; the answer to `ready` comes unasked.

    What libraries print goes to stderr.
    """
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        words = prepare()
        print(json.dumps(words["ready"]()), file=answers, flush=True)
        for line in sys.stdin:
            print(json.dumps(words[line.strip()]()), file=answers, flush=True)


class ProcessExited(Exception):
    """A contestant has ended before it was asked to."""


class Respondent(Protocol):
    """Someone with a name who answers words."""

    @property
    def name(self) -> str:
        """Under which the answers are kept."""

    def ask(self, word: str) -> Answer:
        """The answer to a word."""


@dataclass(frozen=True, slots=True)
class BenchProcess:
    """A contestant's process, seen from outside."""

    name: str
    process: subprocess.Popen[str]

    def ask(self, word: str) -> Answer:
        """Its answer to a word. Raises ProcessExited."""
        if self.process.stdin is not None:
            try:
                print(word, file=self.process.stdin, flush=True)
            except BrokenPipeError as error:
                raise self.gone() from error
        return self.answer()

    def answer(self) -> Answer:
        """What it says next. Raises ProcessExited."""
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            raise self.gone()
        answer: Answer = json.loads(line)
        return answer

    def gone(self) -> ProcessExited:
        """Why there is no answer."""
        return ProcessExited(f"{self.name} has ended with exit code {self.process.wait()}")


@contextmanager
def start_process(name: str, command: Sequence[str], *, environment: Mapping[str, str]) -> Iterator[BenchProcess]:
    """The contestant behind a command; it is told to end by the end of its stdin, and killed when that was no use."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=os.environ | dict(environment)) as process:
        try:
            yield BenchProcess(name, process)
            if process.stdin is not None:
                process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
        finally:
            process.kill()


def run_interleaved(contestants: Sequence[Respondent], *, word: str, rounds: int) -> dict[str, list[Answer]]:
    """Everyone's answers to the same word, asked `rounds` times; whoever was first is last in the next round."""
    answers: dict[str, list[Answer]] = {contestant.name: [] for contestant in contestants}
    for number in range(rounds):
        first = number % len(contestants)
        for contestant in [*contestants[first:], *contestants[:first]]:
            answers[contestant.name].append(contestant.ask(word))
    return answers
