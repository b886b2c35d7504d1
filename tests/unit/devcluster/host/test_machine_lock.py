"""One node per machine: the lock names its holder, and is worth nothing once the holder is dead."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.errors import NodeInUse
from devcluster.host.daemons import Daemons
from devcluster.host.machine_lock import MachineLock


@pytest.fixture
def lock(tmp_path: Path) -> MachineLock:
    return MachineLock(tmp_path / "lock.json")


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Path]:
    """The folder of a cluster with a daemon that lives."""
    folder = tmp_path / "cache" / "clusters" / "node"
    Daemons(folder).start("kubelet", ["sleep", "1000"])
    yield folder
    Daemons(folder).stop("kubelet", timeout=0)


def test_nobody_holds_a_lock_that_is_not_there(lock: MachineLock) -> None:
    assert lock.holder() is None


def test_the_second_is_told_who_is_first_and_how_to_stop_it(lock: MachineLock, living: Path, tmp_path: Path) -> None:
    lock.claim(living)
    with pytest.raises(NodeInUse) as caught:
        lock.claim(tmp_path / "other")
    assert str(living) in str(caught.value)
    assert f"VIDEOJOB_CACHE={tmp_path / 'cache'} python -m devcluster down" in str(caught.value)


def test_the_holder_may_claim_again(lock: MachineLock, living: Path) -> None:
    lock.claim(living)
    lock.claim(living)
    holder = lock.holder()
    assert holder is not None and holder.folder == str(living)


def test_a_dead_holder_gives_way(lock: MachineLock, living: Path, tmp_path: Path) -> None:
    lock.claim(living)
    Daemons(living).stop("kubelet", timeout=0)
    lock.claim(tmp_path / "other")
    assert json.loads(lock.file.read_text())["folder"] == str(tmp_path / "other")


def test_only_the_holder_releases(lock: MachineLock, living: Path, tmp_path: Path) -> None:
    lock.claim(living)
    lock.release(tmp_path / "other")
    assert lock.holder() is not None
    lock.release(living)
    assert not lock.file.exists()


def test_the_machine_is_free_for_its_holder_and_for_nobody_else(
    lock: MachineLock, living: Path, tmp_path: Path
) -> None:
    assert lock.is_free_for(living) and lock.is_free_for(tmp_path / "other")
    lock.claim(living)
    assert lock.is_free_for(living) and not lock.is_free_for(tmp_path / "other")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"folder": "/x"}', "null"])
def test_garbage_in_the_lock_file_is_no_holder(lock: MachineLock, tmp_path: Path, text: str) -> None:
    lock.file.write_text(text)
    assert lock.holder() is None
    lock.claim(tmp_path / "mine")
