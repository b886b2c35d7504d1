"""Contestants of the bench: who is asked when, and that a process can be one."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field

import pytest

from bench.interleave import Answer, ProcessExited, run_interleaved, start_process

PROGRAM = """
import subprocess, sys
from bench.interleave import serve

def noisy():
    print("a library's greeting")
    subprocess.run(["echo", "a child's greeting"], check=True)
    return {"loss": 0.5}

serve(lambda: {"ready": lambda: {"memory": 3.0}, "step": noisy, "leave": lambda: sys.exit(3)})
"""
COMMAND = [sys.executable, "-c", PROGRAM]


@dataclass
class Witness:
    """Writes down who was asked."""

    name: str
    book: list[str] = field(repr=False)

    def ask(self, word: str) -> Answer:
        self.book.append(f"{self.name} {word}")
        return {"number": len(self.book)}


def test_whoever_was_first_is_last_in_the_next_round() -> None:
    book: list[str] = []
    answers = run_interleaved([Witness(name, book) for name in "abc"], word="step", rounds=3)
    assert [line.split()[0] for line in book] == [*"abc", *"bca", *"cab"]
    assert set(book) == {"a step", "b step", "c step"}
    assert [answer["number"] for answer in answers["b"]] == [2, 4, 9]


def test_a_process_says_when_it_is_ready_and_answers_whatever_its_libraries_print() -> None:
    with start_process("one", COMMAND, environment=environment()) as one:
        assert one.answer() == {"memory": 3.0}
        assert [one.ask("step"), one.ask("step")] == [{"loss": 0.5}] * 2
    assert one.process.returncode == 0, "the end of its stdin is the end"


def test_a_process_that_has_ended_is_named_with_its_exit_code() -> None:
    with start_process("one", COMMAND, environment=environment()) as one:
        one.answer()
        with pytest.raises(ProcessExited, match="one has ended with exit code 3"):
            one.ask("leave")


def test_no_process_is_left_when_asking_fails() -> None:
    with pytest.raises(KeyError), start_process("one", COMMAND, environment=environment()) as one:
        raise KeyError
    assert one.process.returncode is not None


def environment() -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join(sys.path)}
