"""One contract, asked of every store: a folder on a volume, a bucket of a real S3 server."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from videojob_agent.errors import AlreadyCommitted, InputNotFound
from videojob_agent.stores import Store

LARGE = 40 * 1024**2 + 7
"""Bytes: more than two parts of a multipart upload."""


class StoreContract:
    """Every place where output can go must answer these alike."""

    @pytest.fixture
    def store(self) -> Store:
        """An empty destination."""
        raise NotImplementedError

    def lying(self) -> Mapping[str, bytes]:
        """What somebody else finds at the destination, by name."""
        raise NotImplementedError

    def test_a_probe_leaves_nothing_to_see(self, store: Store) -> None:
        store.probe()
        assert self.lying() == {}

    def test_what_is_put_lies_there(self, store: Store) -> None:
        store.put(io.BytesIO(b"png"), name="frames/00000.png", size=3)
        store.put(io.BytesIO(b""), name="empty.log", size=0)
        assert self.lying() == {"frames/00000.png": b"png", "empty.log": b""}

    def test_the_source_stays_open_for_whoever_opened_it(self, store: Store, tmp_path: Path) -> None:
        (tmp_path / "source").write_bytes(b"x" * 10)
        with (tmp_path / "source").open("rb") as source:
            store.put(source, name="a.png", size=10)
            assert not source.closed

    def test_a_name_in_any_script_is_kept(self, store: Store) -> None:
        name = "frames/naïve 界+%20&=?.png"
        store.put(io.BytesIO(b"x"), name=name, size=1)
        assert list(self.lying()) == [name]

    def test_a_file_put_again_is_replaced(self, store: Store) -> None:
        store.put(io.BytesIO(b"old and long"), name="a.png", size=12)
        store.put(io.BytesIO(b"new"), name="a.png", size=3)
        assert self.lying() == {"a.png": b"new"}

    def test_a_large_file_arrives_whole(self, store: Store) -> None:
        content = os.urandom(1 << 20) * 41
        content = content[:LARGE]
        store.put(io.BytesIO(content), name="v.mp4", size=LARGE)
        assert hashlib.sha256(self.lying()["v.mp4"]).digest() == hashlib.sha256(content).digest()

    def test_a_source_that_breaks_off_leaves_nothing_to_see(self, store: Store) -> None:
        class Broken(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                raise ZeroDivisionError

            def readinto(self, buffer: object, /) -> int:
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            store.put(Broken(b"x" * 10), name="v.mp4", size=10)
        assert self.lying() == {}

    def test_files_may_be_put_side_by_side(self, store: Store) -> None:
        names = [f"frames/{number:05}.png" for number in range(20)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda name: store.put(io.BytesIO(name.encode()), name=name, size=len(name)), names))
        assert self.lying() == {name: name.encode() for name in names}

    def test_a_file_is_read_back_piece_by_piece(self, store: Store) -> None:
        content = os.urandom(3 << 20)
        store.put(io.BytesIO(content), name="checkpoints/1/state", size=len(content))
        pieces = list(store.read("checkpoints/1/state"))
        assert len(pieces) > 1
        assert b"".join(pieces) == content

    def test_a_file_that_is_not_there_is_told_apart(self, store: Store) -> None:
        with pytest.raises(InputNotFound):
            list(store.read("checkpoints/1/state"))
        assert store.read_bytes("checkpoints/1/state") is None
        store.put(io.BytesIO(b"x"), name="checkpoints/1/state", size=1)
        with pytest.raises(InputNotFound):
            list(store.read("checkpoints/1/other"))
        assert store.read_bytes("checkpoints/1/state") == b"x"

    def test_names_are_those_below_a_prefix(self, store: Store) -> None:
        assert store.list_names("checkpoints/1/") == []
        for name in ("checkpoints/1/index.json", "checkpoints/1/a/b/c", "checkpoints/10/a", "frames/0.png"):
            store.put(io.BytesIO(b"x"), name=name, size=1)
        assert sorted(store.list_names("checkpoints/1/")) == ["checkpoints/1/a/b/c", "checkpoints/1/index.json"]

    def test_what_is_removed_is_gone_and_nothing_else(self, store: Store) -> None:
        for name in ("checkpoints/1/a", "checkpoints/1/b"):
            store.put(io.BytesIO(b"x"), name=name, size=1)
        store.remove("checkpoints/1/a")
        store.remove("checkpoints/1/a")
        assert self.lying() == {"checkpoints/1/b": b"x"}

    def test_there_is_no_manifest_before_the_commit(self, store: Store) -> None:
        store.put(io.BytesIO(b"png"), name="frames/00000.png", size=3)
        assert store.manifest() is None

    def test_a_committed_manifest_is_read_back(self, store: Store) -> None:
        store.commit(b'{"files": []}')
        assert store.manifest() == b'{"files": []}'
        assert self.lying() == {"manifest.json": b'{"files": []}'}

    def test_a_second_commit_is_refused_and_changes_nothing(self, store: Store) -> None:
        store.commit(b"first")
        with pytest.raises(AlreadyCommitted):
            store.commit(b"second")
        assert self.lying() == {"manifest.json": b"first"}

    def test_of_many_commits_at_once_exactly_one_wins(self, store: Store) -> None:
        def commit(number: int) -> bool:
            try:
                store.commit(b"%d" % number)
            except AlreadyCommitted:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            won = [number for number, good in enumerate(pool.map(commit, range(8))) if good]
        assert len(won) == 1
        assert self.lying() == {"manifest.json": b"%d" % won[0]}
