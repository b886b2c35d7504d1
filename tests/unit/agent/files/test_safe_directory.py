"""Folders by descriptor: nothing leads out of them, and nobody sees half a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from videojob_agent.errors import UnsafePath
from videojob_agent.files.safe_directory import SafeDirectory

from tests.unit.agent.fakes import names_in


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[SafeDirectory]:
    with SafeDirectory.open(tmp_path / "here", create=True) as folder:
        yield folder


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    path = tmp_path / "outside"
    path.mkdir()
    (path / "secret").write_text("secret")
    return path


def write(folder: SafeDirectory, name: str, content: bytes = b"content") -> None:
    with folder.atomic_writer(name) as file:
        file.write(content)


def test_a_file_appears_under_its_name_when_it_is_whole(folder: SafeDirectory) -> None:
    with folder.atomic_writer("a/b/c.txt", durable=True) as file:
        file.write(b"half")
        file.flush()
        assert not (folder.path / "a/b/c.txt").exists()
        file.write(b" and half")
    assert (folder.path / "a/b/c.txt").read_bytes() == b"half and half"


def test_a_file_whose_writing_fails_leaves_the_old_one_and_no_trace(folder: SafeDirectory) -> None:
    write(folder, "a", b"old")
    with pytest.raises(ZeroDivisionError), folder.atomic_writer("a") as file:
        file.write(b"new")
        raise ZeroDivisionError
    assert (folder.path / "a").read_bytes() == b"old"
    assert names_in(folder.path) == ["a"]


def test_a_name_of_full_length_can_be_written(folder: SafeDirectory) -> None:
    write(folder, "x" * 255)
    assert names_in(folder.path) == ["x" * 255]


def test_a_linked_folder_is_not_entered(folder: SafeDirectory, outside: Path) -> None:
    (folder.path / "link").symlink_to(outside)
    with pytest.raises(UnsafePath, match="link"):
        write(folder, "link/planted")
    with pytest.raises(UnsafePath):
        folder.open_file("link/secret")
    with pytest.raises(UnsafePath):
        folder.subdirectory("link")
    assert names_in(outside) == ["secret"]


def test_a_linked_file_is_replaced_and_not_written_through(folder: SafeDirectory, outside: Path) -> None:
    (folder.path / "a").symlink_to(outside / "secret")
    write(folder, "a", b"mine")
    assert (outside / "secret").read_text() == "secret"
    assert (folder.path / "a").read_bytes() == b"mine"


def test_a_linked_file_is_not_read(folder: SafeDirectory, outside: Path) -> None:
    (folder.path / "a").symlink_to(outside / "secret")
    with pytest.raises(UnsafePath):
        folder.open_file("a")


def test_a_fifo_is_refused_without_waiting(folder: SafeDirectory) -> None:
    os.mkfifo(folder.path / "fifo")
    with pytest.raises(UnsafePath, match="not a regular file"):
        folder.open_file("fifo")


def test_a_folder_is_no_file(folder: SafeDirectory) -> None:
    (folder.path / "sub").mkdir()
    with pytest.raises(UnsafePath):
        folder.open_file("sub")


def test_a_missing_file_is_told_apart_from_an_unsafe_one(folder: SafeDirectory) -> None:
    with pytest.raises(FileNotFoundError):
        folder.open_file("absent")


def test_a_file_that_stands_where_a_folder_should_be_is_named(folder: SafeDirectory) -> None:
    write(folder, "a")
    with pytest.raises(UnsafePath, match="a"):
        write(folder, "a/b")


def test_the_descriptor_keeps_to_its_folder_after_the_path_was_swapped(folder: SafeDirectory, outside: Path) -> None:
    folder.path.rename(folder.path.with_name("moved"))
    folder.path.symlink_to(outside)
    write(folder, "a")
    assert names_in(outside) == ["secret"]


def test_a_walk_finds_files_and_tells_what_is_wrong_with_the_rest(folder: SafeDirectory, outside: Path) -> None:
    write(folder, "a/b.txt", b"four")
    (folder.path / "link").symlink_to(outside)
    os.mkfifo(folder.path / "fifo")
    (folder.path / "bad\nname").touch()
    found = {entry.name: entry for entry in folder.walk(depth=3)}
    assert found["a/b.txt"].problem is None
    assert found["a/b.txt"].size == 4
    assert {name for name, entry in found.items() if entry.problem} == {"link", "fifo", "bad\nname"}


def test_a_walk_goes_no_deeper_than_it_is_told(folder: SafeDirectory) -> None:
    write(folder, "a/b/c/deep.txt")
    assert [entry.problem is None for entry in folder.walk(depth=2)] == [False]
    assert [entry.problem is None for entry in folder.walk(depth=3)] == [True]


def test_two_equal_entries_mean_that_nobody_wrote_in_between(folder: SafeDirectory) -> None:
    write(folder, "a", b"one")
    before = list(folder.walk(depth=0))
    assert list(folder.walk(depth=0)) == before
    write(folder, "a", b"two")
    assert list(folder.walk(depth=0)) != before


def test_removing_what_is_not_there_is_no_error(folder: SafeDirectory) -> None:
    folder.remove("absent")
    folder.remove("no/such/folder")


def test_a_file_or_a_folder_moves_with_what_is_in_it(folder: SafeDirectory) -> None:
    write(folder, "aside/frames/0.png", b"frame")
    folder.move("aside/frames", "output/frames")
    assert (folder.path / "output/frames/0.png").read_bytes() == b"frame"
    assert names_in(folder.path / "aside") == []


def test_nothing_moves_through_a_link(folder: SafeDirectory, outside: Path) -> None:
    write(folder, "a")
    (folder.path / "link").symlink_to(outside)
    with pytest.raises(UnsafePath):
        folder.move("a", "link/a")
    assert names_in(outside) == ["secret"]


def test_a_tree_goes_and_links_in_it_are_not_followed(folder: SafeDirectory, outside: Path) -> None:
    write(folder, "a/b/c")
    (folder.path / "a/link").symlink_to(outside)
    folder.remove_tree("a")
    folder.remove_tree("a")
    assert (names_in(folder.path), names_in(outside)) == ([], ["secret"])


def test_pruning_removes_empty_folders_only(folder: SafeDirectory) -> None:
    for name in ("a/b/c/d", "a/e"):
        write(folder, name)
    folder.remove("a/b/c/d")
    folder.remove_empty_parents("a/b/c/d")
    assert names_in(folder.path / "a") == ["e"]
    folder.remove_empty_parents("a/b/c/d")
    assert names_in(folder.path / "a") == ["e"]


def test_folders_are_named_and_links_to_folders_are_none(folder: SafeDirectory, outside: Path) -> None:
    write(folder, "a/b")
    write(folder, "c")
    (folder.path / "link").symlink_to(outside)
    assert list(folder.subdirectory_names()) == ["a"]
