"""How buildah is called: its own storage, the machine's trust, the arguments that were given, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from devcluster.build.buildah import Buildah
from devcluster.errors import BuildFailed
from tests.unit.devcluster.conftest import Called, recorder

PASS_THROUGH = '#!/bin/sh\nwhile [ "$1" != sh ]; do shift; done\nshift 4\nexec "$@"\n'
"""In place of `unshare`: runs the program without a mount namespace, which would need root."""


@pytest.fixture
def called(empty_cache: Path, on_path: Path) -> Called:
    unshare = on_path / "unshare"
    unshare.write_text(PASS_THROUGH)
    unshare.chmod(0o755)
    return recorder(on_path / "buildah", says="done", names=("TMPDIR", "CONTAINERS_CONF"))


@pytest.fixture
def buildah(tmp_path: Path) -> Buildah:
    return Buildah(tmp_path / "images")


def build(buildah: Buildah, **arguments: str) -> None:
    buildah.build(Path("/x/Dockerfile"), "mine:1", context=Path("/x"), target="small", arguments=arguments)


def test_storage_and_scratch_lie_in_its_folder(buildah: Buildah, called: Called) -> None:
    build(buildah)
    (call,) = called()
    argv = call["argv"]
    assert argv[argv.index("--root") + 1] == str(buildah.folder / "store")
    assert argv[argv.index("--runroot") + 1] == str(buildah.folder / "run")
    assert call["environment"] == {"TMPDIR": str(buildah.folder / "tmp"), "CONTAINERS_CONF": "/dev/null"}


def test_the_build_is_told_file_target_name_and_context(buildah: Buildah, called: Called) -> None:
    build(buildah, VERSION="7")
    argv = called()[0]["argv"]
    assert "--file=/x/Dockerfile" in argv
    assert argv[argv.index("--target") + 1] == "small"
    assert argv[-3:] == ["--tag", "mine:1", "/x"]
    assert "--build-arg=VERSION=7" in argv


def test_what_the_machine_trusts_is_only_read(buildah: Buildah, called: Called) -> None:
    build(buildah)
    volumes = [part for part in called()[0]["argv"] if part.startswith("--volume=")]
    assert all(volume.endswith(":ro") for volume in volumes)


def test_the_package_index_is_passed_on_and_other_settings_are_not(
    buildah: Buildah, called: Called, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    build(buildah)
    given = [part for part in called()[0]["argv"] if part.startswith("--build-arg=")]
    assert "--build-arg=PIP_INDEX_URL=https://index.example" in given
    assert not any("AWS" in part for part in given)


def test_what_is_given_wins_over_what_is_passed_on(
    buildah: Buildah, called: Called, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example")
    build(buildah, PIP_INDEX_URL="https://other.example")
    given = [part for part in called()[0]["argv"] if part.startswith("--build-arg=PIP_INDEX_URL")]
    assert given == ["--build-arg=PIP_INDEX_URL=https://other.example"]


def test_the_output_is_kept_and_the_end_of_it_is_in_the_error(buildah: Buildah, called: Called, on_path: Path) -> None:
    recorder(on_path / "buildah", says="pip found no such package", code=3)
    with pytest.raises(BuildFailed, match="pip found no such package") as caught:
        build(buildah)
    log = buildah.folder / "logs" / "mine-1.log"
    assert str(log) in str(caught.value)
    assert log.read_text() == "pip found no such package\n"


def test_a_push_goes_through_the_prefix(buildah: Buildah, called: Called) -> None:
    (buildah.folder).mkdir()
    (buildah.folder / "digest").write_text("sha256:abc\n")
    assert buildah.push("mine:1", "127.0.0.1:5000/mine:1", prefix=("env",)) == "sha256:abc"
    argv = called()[0]["argv"]
    assert argv[-2:] == ["mine:1", "docker://127.0.0.1:5000/mine:1"]
    assert "--tls-verify=false" in argv


def test_an_image_is_found_by_its_whole_name_only(buildah: Buildah, called: Called, on_path: Path) -> None:
    recorder(on_path / "buildah", says="docker.io/library/python:3.11-slim\nlocalhost/mine:1")
    assert buildah.has_image("localhost/mine:1")
    assert not buildah.has_image("mine:1")
