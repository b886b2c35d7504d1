"""Reasons are a promise: they stand in conditions, and people write alerts for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from videojob_agent import errors
from videojob_agent.errors import AgentError, EndpointUnreachable
from videojob_operator.domain.policies.completion import PUBLISH_FAILURE_REASONS


def below(kind: type[AgentError]) -> Iterator[type[AgentError]]:
    for child in kind.__subclasses__():
        yield child
        yield from below(child)


def test_the_reasons_and_the_exit_codes_of_fetch_are_a_promise() -> None:
    assert {kind.__name__: int(kind.exit_code) for kind in below(AgentError)} == {
        "AlreadyCommitted": 70,
        "BucketNotFound": 65,
        "CheckpointRefused": 70,
        "CredentialsRefused": 65,
        "DigestMismatch": 65,
        "EndpointUnreachable": 70,
        "InputNotFound": 65,
        "NoVideo": 65,
        "OutputNotReadable": 65,
        "OutputNotWritable": 65,
        "OutputOccupied": 65,
        "PermanentError": 65,
        "ScratchFailed": 70,
        "ScratchFull": 65,
        "SizeMismatch": 65,
        "StorageRefused": 65,
        "TransientError": 70,
        "UnsafePath": 65,
    }


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = {line.strip("│├└─ ").split()[0] for line in (errors.__doc__ or "").splitlines() if "──" in line}
    assert drawn == {kind.__name__ for kind in below(AgentError)}


def test_the_operator_knows_every_reason_why_a_store_takes_nothing() -> None:
    stores = {"BucketNotFound", "CredentialsRefused", "EndpointUnreachable", "OutputNotWritable", "OutputOccupied"}
    assert stores | {"OutputNotReadable", "StorageRefused", "ScratchFailed"} <= PUBLISH_FAILURE_REASONS


@pytest.mark.parametrize("length", [10, 5000])
def test_an_error_travels_as_a_failure_of_bounded_length(length: int) -> None:
    failure = EndpointUnreachable("x" * length).failure
    assert failure.reason == "EndpointUnreachable"
    assert failure.message == ("x" * length)[:1024]


def test_an_error_can_be_told_what_it_is_about() -> None:
    told = EndpointUnreachable("away").with_context("input 'a'")
    assert isinstance(told, EndpointUnreachable)
    assert str(told) == "input 'a': away"
