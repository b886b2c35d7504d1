"""Output on a volume claim."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import pytest
from videojob_agent.errors import OutputNotWritable
from videojob_agent.stores import FolderStore, Store

from tests.unit.agent.fakes import names_in
from tests.unit.agent.store_contract import StoreContract


class TestFolderStore(StoreContract):
    folder: Path

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        self.folder = tmp_path / "claim/waves/uid-1"
        return FolderStore(self.folder)

    def lying(self) -> Mapping[str, bytes]:
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in files}

    def test_nothing_is_made_by_looking_for_a_manifest(self, store: Store) -> None:
        store.manifest()
        store.list_names("checkpoints/")
        assert not self.folder.exists()

    def test_folders_that_removing_has_emptied_go_too(self, store: Store) -> None:
        for name in ("checkpoints/1/step-2/state", "frames/0.png"):
            store.put(io.BytesIO(b"x"), name=name, size=1)
        store.remove("checkpoints/1/step-2/state")
        assert names_in(self.folder) == ["frames"]

    def test_a_planted_link_is_not_read_through(self, store: Store, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("secret")
        store.probe()
        (self.folder / "index.json").symlink_to(tmp_path / "secret")
        with pytest.raises(OutputNotWritable, match="link"):
            store.read_bytes("index.json")

    def test_half_a_file_is_never_visible(self, store: Store) -> None:
        watched = self

        class Source(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                assert not (watched.folder / "v.mp4").exists()
                return super().read(size)

        store.put(Source(b"x" * 3_000_000), name="v.mp4", size=3_000_000)
        assert self.lying()["v.mp4"] == b"x" * 3_000_000

    def test_a_planted_link_is_not_followed(self, store: Store, tmp_path: Path) -> None:
        (tmp_path / "outside").mkdir()
        self.folder.mkdir(parents=True)
        (self.folder / "frames").symlink_to(tmp_path / "outside")
        with pytest.raises(OutputNotWritable, match="link"):
            store.put(io.BytesIO(b"x"), name="frames/0.png", size=1)
        assert names_in(tmp_path / "outside") == []

    def test_a_file_in_the_folders_place_is_told_with_the_remedy(self, store: Store) -> None:
        self.folder.parent.mkdir(parents=True)
        self.folder.touch()
        with pytest.raises(OutputNotWritable, match="mounted read-write"):
            store.probe()
