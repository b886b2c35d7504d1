"""When an image is built again: if something it is made of has changed, and only then."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from devcluster.cluster.images import BuildSpec, list_copied_sources
from devcluster.errors import BuildFailed

DOCKERFILE = """\
FROM scratch AS base
COPY --chown=1:1 src /src
copy locks/a.txt \\
     locks/b.txt /locks/
FROM base
COPY --from=base /src /again
RUN echo COPY nothing /here
"""


@pytest.fixture
def recipe(tmp_path: Path) -> BuildSpec:
    (tmp_path / "src" / "deep").mkdir(parents=True)
    (tmp_path / "locks").mkdir()
    for name in ("src/main.py", "src/deep/part.py", "locks/a.txt", "locks/b.txt", "README.md"):
        (tmp_path / name).write_text(name)
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    return BuildSpec(dockerfile=tmp_path / "Dockerfile", context=tmp_path)


def test_copied_sources_are_those_of_the_context() -> None:
    assert list_copied_sources(DOCKERFILE) == ["src", "locks/a.txt", "locks/b.txt"]


def test_the_fingerprint_of_unchanged_inputs_stays(recipe: BuildSpec) -> None:
    assert recipe.fingerprint() == recipe.fingerprint()


def _edit(path: str) -> Callable[[Path], object]:
    return lambda root: (root / path).write_text("changed")


@pytest.mark.parametrize(
    "change",
    [
        _edit("src/main.py"),
        _edit("src/deep/part.py"),
        _edit("locks/b.txt"),
        lambda root: (root / "src/new.py").touch(),
        lambda root: (root / "src/main.py").unlink(),
        lambda root: (root / "src/main.py").rename(root / "src/renamed.py"),
        lambda root: (root / "src/main.py").chmod(0o755),
        lambda root: (root / "Dockerfile").write_text(DOCKERFILE + "ENV A=b\n"),
    ],
)
def test_a_change_of_what_is_copied_changes_the_fingerprint(
    recipe: BuildSpec, change: Callable[[Path], object]
) -> None:
    before = recipe.fingerprint()
    change(recipe.context)
    assert recipe.fingerprint() != before


@pytest.mark.parametrize("path", ["README.md", "src/__pycache__/main.pyc", "src/deep/part.pyc"])
def test_a_change_of_what_is_not_copied_changes_nothing(recipe: BuildSpec, path: str) -> None:
    before = recipe.fingerprint()
    (recipe.context / path).parent.mkdir(exist_ok=True)
    (recipe.context / path).write_text("changed")
    assert recipe.fingerprint() == before


def test_target_and_arguments_are_part_of_the_fingerprint(recipe: BuildSpec) -> None:
    def with_(target: str | None, **arguments: str) -> str:
        return BuildSpec(
            dockerfile=recipe.dockerfile, context=recipe.context, target=target, arguments=arguments
        ).fingerprint()

    different = {with_(None), with_("base"), with_(None, VERSION="1"), with_(None, VERSION="2")}
    assert len(different) == 4
    assert with_(None, A="1", B="2") == with_(None, B="2", A="1")


def test_a_copied_file_that_is_missing_is_named(recipe: BuildSpec) -> None:
    (recipe.context / "locks" / "a.txt").unlink()
    with pytest.raises(BuildFailed, match=r"copies locks/a\.txt"):
        recipe.fingerprint()


def test_the_folder_does_not_matter_only_what_is_in_it(recipe: BuildSpec) -> None:
    moved = recipe.context.with_name("moved")
    shutil.copytree(recipe.context, moved)
    assert BuildSpec(dockerfile=moved / "Dockerfile", context=moved).fingerprint() == recipe.fingerprint()
