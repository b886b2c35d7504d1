"""How large the parts of an upload are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from videojob_agent.stores.s3_store import part_size

MIB = 1024**2


@pytest.mark.parametrize(
    ("size", "part"),
    [(0, 16 * MIB), (16 * MIB, 16 * MIB), (9000 * 16 * MIB, 16 * MIB), (9000 * 20 * MIB, 20 * MIB)],
)
def test_parts_have_16_mib_until_that_would_be_too_many(size: int, part: int) -> None:
    assert part_size(size) == part


@given(st.integers(min_value=0, max_value=5 * 1024**4))
def test_no_object_s3_takes_needs_more_parts_than_s3_allows(size: int) -> None:
    assert -(-size // part_size(size)) <= 10_000
