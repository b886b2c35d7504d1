"""Packs hold what was trained: half precision costs nothing visible, the scale of the latents does not matter."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as nnf
from clip.model import build_model
from safetensors.torch import load_file

from packs.shapes import captions, clip_model, export, first_stage


@pytest.fixture(scope="module")
def drawing() -> first_stage.FirstStage:
    torch.manual_seed(0)
    made = first_stage.FirstStage().eval().requires_grad_(False)
    made.codebook.normal_(0, 1.5)
    return made


@pytest.fixture(scope="module")
def seeing() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    net = clip_model.build_clip()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d) and module.running_mean is not None:
            module.running_mean.normal_(0, 0.1)
    return {f"clip.{name}": tensor.detach() for name, tensor in net.state_dict().items()}


@pytest.fixture(scope="module")
def packs(
    tmp_path_factory: pytest.TempPathFactory, drawing: first_stage.FirstStage, seeing: dict[str, torch.Tensor]
) -> Path:
    out = tmp_path_factory.mktemp("packs")
    export.export_vqgan(out, drawing.state_dict(), training={"seed": 0})
    export.export_clip(out, seeing, training={"seed": 0})
    return out


def described(folder: Path) -> dict[str, dict[str, object]]:
    return dict(json.loads((folder / "pack.json").read_text()))


def test_rescaling_changes_no_reconstruction(drawing: first_stage.FirstStage) -> None:
    other = first_stage.FirstStage().eval().requires_grad_(False)
    other.load_state_dict(export.rescale_latents(drawing.state_dict()))
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    assert float(other.codebook.std()) == pytest.approx(0.25, rel=1e-5)
    assert (other.indices(other.encode(images)) == drawing.indices(drawing.encode(images))).float().mean() > 0.999
    codes = drawing.indices(drawing.encode(images))
    assert torch.allclose(other.decode(other.embed(codes)), drawing.decode(drawing.embed(codes)), atol=1e-4)


def test_every_file_is_what_pack_json_promises(packs: Path) -> None:
    for name in ("shapes-vqgan", "shapes-clip"):
        for file, promised in described(packs / name)["files"].items():
            content = (packs / name / file).read_bytes()
            assert promised == {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_both_packs_together_stay_below_25_megabytes(packs: Path) -> None:
    assert sum(file.stat().st_size for file in packs.rglob("*.safetensors")) < 25_000_000


def test_the_clip_pack_loads_through_openai_s_own_builder_and_keeps_its_embeddings(
    packs: Path, seeing: dict[str, torch.Tensor]
) -> None:
    loaded = build_model(load_file(packs / "shapes-clip" / "weights.safetensors")).float().eval()
    original = clip_model.build_clip().eval()
    original.load_state_dict({name.removeprefix("clip."): tensor for name, tensor in seeing.items()})
    images, prompts = torch.rand(4, 3, 64, 64), captions.prompt_tokens(["a red circle", "a star on a grey background"])
    with torch.no_grad():
        pictures = (clip_model.image_embeddings(loaded, images) * clip_model.image_embeddings(original, images)).sum(1)
        texts = (clip_model.text_embeddings(loaded, prompts) * clip_model.text_embeddings(original, prompts)).sum(1)
    assert pictures.min() >= 0.9999 and texts.min() >= 0.9999


def test_texts_cut_to_their_length_embed_as_openai_s_class_embeds_them(seeing: dict[str, torch.Tensor]) -> None:
    net = clip_model.build_clip().eval()
    net.load_state_dict({name.removeprefix("clip."): tensor for name, tensor in seeing.items()})
    text = "two orange stars at the top on a grey background"
    with torch.no_grad():
        theirs = nnf.normalize(net.encode_text(captions.prompt_tokens([text])), dim=1)
        ours = clip_model.text_embeddings(net, captions.pad_batch([captions.tokenize(text)]))
    assert torch.allclose(theirs, ours, atol=1e-5)


def test_words_outside_the_vocabulary_all_mean_the_unknown_word(packs: Path) -> None:
    table = load_file(packs / "shapes-clip" / "weights.safetensors")["token_embedding.weight"]
    zebra, rocket = captions.tokenize("zebra")[0], captions.tokenize("rocket")[0]
    circle = captions.tokenize("circle")[0]
    assert (table[zebra] == table[captions.UNKNOWN_TOKEN]).all() and (
        table[rocket] == table[captions.UNKNOWN_TOKEN]
    ).all()
    assert (table[circle] != table[captions.UNKNOWN_TOKEN]).any()


def test_the_vqgan_pack_describes_its_architecture_and_the_guidance_that_fits_it(packs: Path) -> None:
    about = described(packs / "shapes-vqgan")
    assert about["architecture"] == {
        "ch": 32,
        "chMult": [2, 2, 4],
        "numResBlocks": 1,
        "attnResolutions": [],
        "resolution": 64,
        "zChannels": 64,
        "embedDim": 16,
        "codebookSize": 1024,
    }
    assert about["defaults"] == {
        "start": "gray",
        "learningRate": 0.15,
        "learningRateFinal": 0.03,
        "learningRateNextFrames": 0.05,
        "phraseNoise": 2.4,
    }


def test_the_code_digest_is_blind_to_comments_and_layout_but_not_to_code(tmp_path: Path) -> None:
    def digest(text: str) -> str:
        (tmp_path / "a.py").write_text(text)
        return export.code_digest([tmp_path])

    plain = digest("x = 1\n")
    assert digest('"""Why."""\n\nx  =  1  # one\n') == plain
    assert digest("x = 2\n") != plain
