"""Taking away what a node leaves, on made-up trees: only what is ours, and only what is empty."""

from __future__ import annotations

from pathlib import Path

import pytest

from devcluster.cluster import teardown
from devcluster.host.mounts import mounts_below, unmount_below


def make(*folders: Path) -> None:
    for folder in folders:
        folder.mkdir(parents=True)


def test_pod_cgroups_go_from_every_hierarchy_and_nothing_else_does(tmp_path: Path) -> None:
    make(tmp_path / "memory/kubepods/burstable/pod1/abc", tmp_path / "cpu/kubepods", tmp_path / "cpu/docker/x")
    make(tmp_path / "kubepods/besteffort")
    teardown.remove_pod_cgroups(tmp_path)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == [
        "cpu",
        "cpu/docker",
        "cpu/docker/x",
        "memory",
    ]


def test_a_cgroup_that_cannot_go_stays_with_its_parents_only(tmp_path: Path) -> None:
    make(tmp_path / "memory/kubepods/busy", tmp_path / "memory/kubepods/idle")
    (tmp_path / "memory/kubepods/busy/held").touch()
    teardown.remove_pod_cgroups(tmp_path)
    assert (tmp_path / "memory/kubepods/busy").exists()
    assert not (tmp_path / "memory/kubepods/idle").exists()


def test_folders_that_were_there_before_are_left_alone(tmp_path: Path, strays: tuple[Path, Path]) -> None:
    before, after = strays
    before.mkdir()
    teardown.record_external_folders(tmp_path / "state", among=[str(before), str(after)])
    make(after / "deep")
    (before / "file").touch()
    teardown.remove_external_folders(tmp_path / "state")
    assert (before / "file").exists()
    assert not after.exists()


def test_a_second_start_does_not_forget_what_the_first_found(tmp_path: Path, strays: tuple[Path, Path]) -> None:
    _, ours = strays
    teardown.record_external_folders(tmp_path / "state", among=[str(ours)])
    ours.mkdir()
    teardown.record_external_folders(tmp_path / "state", among=[str(ours)])
    teardown.remove_external_folders(tmp_path / "state")
    assert not ours.exists()


def test_without_a_note_nothing_is_removed(tmp_path: Path, strays: tuple[Path, Path]) -> None:
    strays[0].mkdir()
    teardown.remove_external_folders(tmp_path)
    assert strays[0].exists()


@pytest.fixture
def strays(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "stray-one", tmp_path / "stray-two"


def test_mounts_are_listed_innermost_first_and_by_folder_not_by_prefix() -> None:
    points = ("/x/state/netns", "/x/state/kubelet", "/x/state/kubelet/pods/v", "/x/state2", "/x")
    table = "\n".join(f"device {point} ext4 rw 0 0" for point in points)
    assert mounts_below(Path("/x/state"), table=table) == [
        Path("/x/state/kubelet/pods/v"),
        Path("/x/state/netns"),
        Path("/x/state/kubelet"),
    ]


def test_a_mount_point_with_a_blank_is_understood() -> None:
    assert mounts_below(Path("/a b"), table="x /a\\040b/c t o 0 0") == [Path("/a b/c")]


def test_a_mount_on_the_folder_itself_is_listed() -> None:
    assert mounts_below(Path("/netns"), table="nsfs /netns nsfs rw 0 0") == [Path("/netns")]


def test_unmounting_where_nothing_is_mounted_does_nothing(tmp_path: Path) -> None:
    unmount_below(tmp_path)
    assert tmp_path.exists()


def test_the_state_folder_goes_with_all_that_is_in_it(tmp_path: Path) -> None:
    make(tmp_path / "node/pki")
    teardown.remove_state(tmp_path / "node")
    assert not (tmp_path / "node").exists()
    teardown.remove_state(tmp_path / "node")
