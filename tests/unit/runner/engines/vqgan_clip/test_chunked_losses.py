"""CLIP works on a few views at a time: the same loss and the same pull, whatever the size of the parts."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from videojob_api.pipelines.vqgan_clip import CutMethod
from videojob_runner.engines.vqgan_clip.cutouts.cutouts import CutoutOptions, Cutouts
from videojob_runner.engines.vqgan_clip.guidance.guidance import Guidance
from videojob_runner.engines.vqgan_clip.latent.optimizer import LatentOptimizer
from videojob_runner.engines.vqgan_clip.losses.chunked import chunked_losses
from videojob_runner.engines.vqgan_clip.losses.prompts import PromptTargets
from videojob_runner.models.clip.model import Clip
from videojob_runner.models.packs.reader import Pack
from videojob_runner.models.vqgan.model import Vqgan
from videojob_runner.torch_utils.random_streams import RandomStreams

CUTS = 7


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def guidance(generator_folder: Path, perceptor_folder: Path) -> Guidance:
    perceptor = Clip.load(Pack.open(perceptor_folder, kind="clip"))
    return Guidance(
        generator=Vqgan.load(Pack.open(generator_folder, kind="vqgan")),
        perceptor=perceptor,
        cutouts=Cutouts(CutoutOptions(count=CUTS), target=perceptor.input_size),
    )


def targets(guidance: Guidance) -> PromptTargets:
    """A text that attracts, one that repels, and pictures with a stop."""
    weights, stops = torch.tensor([1.0, -0.4, 0.2, 0.2]), torch.tensor([-math.inf, -2.0, 1.2, 1.2])
    return PromptTargets(drawn(4, guidance.perceptor.embed_dim), weights=weights, stops=stops)


def pull(guidance: Guidance, *, seed: int = 3) -> tuple[Tensor, Tensor]:
    """The loss and its gradient to a picture."""
    picture = torch.rand(1, 3, 60, 48, generator=torch.Generator().manual_seed(1)).requires_grad_()
    loss = guidance.loss(picture, targets(guidance), RandomStreams.from_seed(seed))
    return loss.detach(), torch.autograd.grad(2 * loss, picture)[0]


def near(one: Tensor, other: Tensor) -> bool:
    """Equal up to 1e-5 of the largest value."""
    return bool((one - other).abs().max() <= 1e-5 * one.abs().max())


@pytest.mark.parametrize("at_once", [1, 2, 3, CUTS, 100])
@pytest.mark.parametrize("method", ["original", "kornia", "latest"])
def test_loss_and_pull_do_not_depend_on_how_many_views_are_seen_at_once(
    guidance: Guidance, method: CutMethod, at_once: int
) -> None:
    cutouts = Cutouts(CutoutOptions(count=CUTS, method=method), target=guidance.perceptor.input_size)
    whole, parts = (pull(replace(guidance, cutouts=cutouts, chunk_size=number)) for number in (None, at_once))
    assert float(whole[1].abs().max()) > 0
    assert all(map(near, whole, parts))


def test_the_pull_is_what_autograd_finds_without_parts(guidance: Guidance) -> None:
    views = torch.rand(CUTS, 3, 32, 32, generator=torch.Generator().manual_seed(2))

    def judge(part: Tensor) -> Tensor:
        return guidance.encode_views(part).square().mean(0)

    plain, parted = views.clone().requires_grad_(), views.clone().requires_grad_()
    expected = torch.autograd.grad(judge(plain).sum(), plain)[0]
    loss, shares = chunked_losses(parted, judge, chunk_size=3)
    assert near(expected, torch.autograd.grad(loss, parted)[0])
    assert near(judge(views).detach(), shares)


def test_a_part_is_done_with_before_the_next_is_begun() -> None:
    """Forward and backward take turns, so one part at most is held."""
    story: list[str] = []

    def judge(part: Tensor) -> Tensor:
        story.append(f"see {len(part)}")
        seen = part * 2
        seen.register_hook(lambda _: story.append(f"pull {len(part)}"))  # type: ignore[no-untyped-call]
        return seen.mean((1, 2, 3)).mean(0, keepdim=True)

    chunked_losses(torch.rand(5, 3, 2, 2).requires_grad_(), judge, chunk_size=2)
    assert story == ["see 2", "pull 2", "see 2", "pull 2", "see 1", "pull 1"]


def test_where_no_gradient_is_wanted_none_is_computed(guidance: Guidance) -> None:
    picture = torch.rand(1, 3, 60, 48, generator=torch.Generator().manual_seed(1))
    guidance = replace(guidance, chunk_size=2)
    assert not guidance.loss(picture, targets(guidance), RandomStreams.from_seed(1)).requires_grad
    rows = [
        replace(guidance, chunk_size=number).embed_image(picture, RandomStreams.from_seed(1)) for number in (2, None)
    ]
    assert rows[0].shape == (CUTS, guidance.perceptor.embed_dim)
    assert torch.allclose(rows[0], rows[1], atol=1e-5)


def test_steps_of_the_latent_go_the_same_way(guidance: Guidance) -> None:
    start = drawn(1, 4, 15, 12)
    latents = []
    for number in (None, 2):
        latent, randomness = LatentOptimizer(start, guidance.generator.codebook), RandomStreams.from_seed(5)
        for _ in range(5):
            guidance = replace(guidance, chunk_size=number)
            latent.step(guidance, targets(guidance), rate=0.1, randomness=randomness)
        latents.append(latent.z.detach())
    assert torch.allclose(latents[0], latents[1], atol=1e-4)
    assert not torch.allclose(latents[0], start, atol=0.1)


def test_computing_twice_changes_no_bit_of_a_run(guidance: Guidance) -> None:
    latents = []
    for recompute in (False, True):
        latent, randomness = LatentOptimizer(drawn(1, 4, 8, 8), guidance.generator.codebook), RandomStreams.from_seed(5)
        for _ in range(5):
            latent.step(
                replace(guidance, checkpoint_decoder=recompute), targets(guidance), rate=0.1, randomness=randomness
            )
        latents.append(latent.z.detach())
    assert torch.equal(latents[0], latents[1])
