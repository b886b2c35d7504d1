"""The guide `docs/vqgan-clip.md` speaks of fields, names and values that are there, and its examples run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import TypeAdapter
from videojob_api.pipelines import vqgan_clip as models
from videojob_api.resource.post import Post
from videojob_api.resource.spec import VideoJobSpec
from videojob_runner.engines import vqgan_clip
from videojob_runner.run.pack_resolver import PACKS_VARIABLE

from tests import spec_fields

GUIDE = (Path(__file__).parents[5] / "docs" / "vqgan-clip.md").read_text()
ARM = "pipeline.vqganClip."
FIELDS = {path.removeprefix(ARM) for path, _ in spec_fields.fields() if path.startswith(ARM)}


def test_every_field_of_a_form_that_it_names_exists() -> None:
    named = set(re.findall(r"(?<![\w./(-])((?:image|video|styleTransfer|timelapse)\.[a-z][A-Za-z]+)\b", GUIDE))
    assert "video.zoom" in named
    assert named <= FIELDS, named - FIELDS


def test_every_field_of_the_resource_that_it_names_exists() -> None:
    named = set(re.findall(r"`spec\.([A-Za-z.]+)", GUIDE))
    assert {"post", "encoding.fps", "runner.resources"} <= named
    assert named <= {path for path, _ in spec_fields.fields()}


def test_steps_after_the_frames_are_written_as_the_resource_takes_them() -> None:
    written = re.findall(r"`spec\.post: (\[.*?\])`", GUIDE)
    assert written
    for steps in written:
        TypeAdapter(Post).validate_python(yaml.safe_load(steps))


def test_pieces_of_manifests_are_taken_as_they_stand() -> None:
    pieces = re.findall(r"```yaml\n(.*?)```", GUIDE, flags=re.DOTALL)
    assert pieces
    for piece in pieces:
        VideoJobSpec.model_validate(yaml.safe_load(piece)["spec"])


def test_every_flag_of_the_command_line_has_its_answer() -> None:
    """The flags of specification vqgan-clip §12.1."""
    rows = GUIDE.partition("### The command line")[2].partition("###")[0].splitlines()
    cells = [row.strip("| ").split(" | ", 1) for row in rows if row.startswith("| `")]
    answers = {flag: answer for flags, answer in cells for flag in re.findall(r"(?<!\w)-[a-z]+", flags)}
    flags = """-p -ip -i -se -s -ii -in -iw -m -conf -ckpt -nps -npw -lr -cutm -cuts -cutp -sd -opt -o -vid -zvid -zs
        -zse -zsc -zsx -zsy -cpe -vl -ofps -ifps -d -aug -vsd -cd"""
    assert set(answers) == set(flags.split())
    assert not [flag for flag, answer in answers.items() if "not yet" in answer]


def test_every_field_is_spoken_of() -> None:
    words = set(re.findall(r"[A-Za-z]+", GUIDE))
    missing = {field for field in FIELDS if field.split(".")[-1] not in words}
    assert not missing


@pytest.mark.parametrize(
    "choices", [models.CutMethod, models.Augment, models.OptimizerName, models.LatentInit, models.InitWeightMethod]
)
def test_every_choice_is_spoken_of(choices: Any) -> None:
    assert all(f"`{choice}`" in GUIDE or f": {choice}`" in GUIDE for choice in get_args(choices))


def test_every_name_that_scripts_need_can_be_imported() -> None:
    scripts = GUIDE.partition("`Engine` in scripts")[2].partition("###")[0]
    ours = " ".join(line.split("|")[2] for line in scripts.splitlines() if line.count("|") == 3)
    classes = set(re.findall(r"\b([A-Z][A-Za-z]+)[.(]", ours)) - {"Picture"}
    functions = set(re.findall(r"(?<![.\w])([a-z_]+)\(", ours))
    assert {"LatentOptimizer", "OptimizerOptions", "encode_image", "phrase_targets"} <= classes | functions
    assert classes | functions <= set(vqgan_clip.__all__)
    assert all(hasattr(vqgan_clip, name) for name in vqgan_clip.__all__)


def test_its_examples_run_as_they_stand(
    tmp_path: Path, generator_folder: Path, perceptor_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With tiny packs in the place of the built-in ones, and fewer iterations."""
    (tmp_path / "shapes-vqgan").symlink_to(generator_folder)
    (tmp_path / "shapes-clip").symlink_to(perceptor_folder)
    monkeypatch.setenv(PACKS_VARIABLE, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", GUIDE, flags=re.DOTALL)
    assert len(examples) == 3
    names: dict[str, Any] = {}
    for example in examples:
        exec(re.sub(r"=(250|20)\b", "=2", example).replace("range(250)", "range(2)"), names)
    assert {path.name for path in tmp_path.glob("*.*")} >= {"circle.png", "halves.mp4", "own.png"}
