"""Which folder a role's pack lies in, and who vouches for it."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from videojob_api.resource.spec import ModelSource
from videojob_runner.errors import BadConfig, BadInput, UnsafeCheckpoint
from videojob_runner.run.pack_resolver import PackResolver, built_in_packs


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    for place in ("packs/shapes-vqgan", "packs/shapes-clip", "input/mine"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "pack.json").write_text(f'{{"name": "{place}"}}')
    (tmp_path / "input/empty").mkdir()
    return tmp_path


def folder(roots: Path, role: str = "generator", **source: Any) -> Path:
    sources = [ModelSource(role="generator", **source)] if source else []
    return PackResolver(sources, inputs=roots / "input", built_in=roots / "packs").folder(role, default="shapes-vqgan")


def test_a_role_nobody_speaks_of_gets_the_engines_default(roots: Path) -> None:
    assert folder(roots) == roots / "packs/shapes-vqgan"
    assert folder(roots, "perceptor", builtin="shapes-clip") == roots / "packs/shapes-vqgan"


def test_a_job_may_name_another_built_in_pack_or_one_among_its_inputs(roots: Path) -> None:
    assert folder(roots, builtin="shapes-clip") == roots / "packs/shapes-clip"
    assert folder(roots, input="mine") == roots / "input/mine"


@pytest.mark.parametrize("source", [{"input": "empty"}, {"input": "nothing"}])
def test_a_folder_without_a_pack_is_a_bad_input_that_names_the_role(roots: Path, source: dict[str, str]) -> None:
    with pytest.raises(BadInput, match=r"models\.generator: there is no pack in .*pack\.json is missing"):
        folder(roots, **source)


def test_an_image_without_built_in_packs_says_which_one_is_missing(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"there is no pack in .*packs/shapes-vqgan"):
        folder(tmp_path)


def test_a_path_out_of_the_input_folder_is_refused(roots: Path) -> None:
    (roots / "input/way-out").symlink_to(roots / "packs/shapes-clip")
    with pytest.raises(BadConfig, match="outside the input folder"):
        folder(roots, input="way-out")


def test_a_digest_is_compared_with_the_description(roots: Path) -> None:
    right = hashlib.sha256((roots / "input/mine/pack.json").read_bytes()).hexdigest()
    assert folder(roots, input="mine", digest=right) == folder(roots, input="mine", digest=f"sha256:{right}")
    with pytest.raises(UnsafeCheckpoint, match=f"sha256:{right}, not {'0' * 64}") as caught:
        folder(roots, input="mine", digest="0" * 64)
    assert caught.value.exit_code == 66


def test_the_environment_says_where_built_in_packs_lie(tmp_path: Path) -> None:
    assert built_in_packs({"VIDEOJOB_PACKS": str(tmp_path)}) == tmp_path
    assert built_in_packs({}).parts[-3:] == ("videojob_runner", "models", "builtin")
