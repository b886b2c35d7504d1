"""Reading a VideoJob from a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from videojob_cli.errors import CommandFailed
from videojob_cli.local.manifest_file import load_videojob

from tests.unit.cli.manifests import manifest, write

ROOT = Path(__file__).resolve().parents[4]
CLAIM = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "videos"}}


def test_a_videojob_is_read(tmp_path: Path) -> None:
    assert load_videojob(write(tmp_path / "m.yaml", manifest())).metadata.name == "waves"


def test_what_stands_beside_it_is_passed_over(tmp_path: Path) -> None:
    assert load_videojob(write(tmp_path / "m.yaml", CLAIM, manifest(), {})).metadata.name == "waves"


@pytest.mark.parametrize("documents", [[], [CLAIM], [manifest(), manifest()]])
def test_none_or_many_are_refused(tmp_path: Path, documents: list[dict[str, object]]) -> None:
    with pytest.raises(CommandFailed, match="must contain exactly one VideoJob"):
        load_videojob(write(tmp_path / "m.yaml", *documents))


def test_every_wrong_field_is_named(tmp_path: Path) -> None:
    wrong = manifest(encoding={"fps": 0}, colour="red")
    with pytest.raises(CommandFailed) as refusal:
        load_videojob(write(tmp_path / "m.yaml", wrong))
    assert refusal.value.exit_code == 64
    assert "spec.encoding.fps" in str(refusal.value)
    assert "spec.colour" in str(refusal.value)


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe\x00", b"!!python/object:os.system {}"])
def test_a_file_that_is_no_yaml_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.yaml").write_bytes(content)
    with pytest.raises(CommandFailed, match=r"m\.yaml"):
        load_videojob(tmp_path / "m.yaml")


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.name)
def test_the_examples_are_valid(path: Path) -> None:
    assert load_videojob(path).metadata.name == path.stem
    assert yaml.safe_load(path.read_text())["spec"]["output"] == {"pvc": {"claimName": "videos"}}
