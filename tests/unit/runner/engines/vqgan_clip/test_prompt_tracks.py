"""Three kinds of prompts as one story, and their targets: pictures, noises, texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from videojob_api.pipelines.vqgan_clip import Video
from videojob_runner.engines.vqgan_clip.cutouts.cutouts import CutoutOptions, Cutouts
from videojob_runner.engines.vqgan_clip.guidance.guidance import Guidance
from videojob_runner.engines.vqgan_clip.guidance.targets import PhraseTargets, phrase_targets
from videojob_runner.engines.vqgan_clip.losses.prompts import prompt_loss, spherical_distance
from videojob_runner.engines.vqgan_clip.prompts.grammar import Prompt, parse
from videojob_runner.engines.vqgan_clip.prompts.tracks import merge_tracks
from videojob_runner.errors import BadConfig, BadInput
from videojob_runner.models.clip.model import Clip
from videojob_runner.models.packs.reader import Pack
from videojob_runner.models.vqgan.model import Vqgan
from videojob_runner.torch_utils.images import limit_area, read_image_within
from videojob_runner.torch_utils.random_streams import RandomStreams

CUTS = 3


def told(prompts: dict[str, str], *, upstream: bool = False) -> list[list[str]]:
    """The story of a form, each prompt for people."""
    form = Video.model_validate({"frames": 9, **prompts})
    return [[str(prompt) for prompt in phrase] for phrase in merge_tracks(form, field="video", upstream=upstream)]


class TestStory:
    def test_every_kind_sticks_on_its_last_phrase(self) -> None:
        """§3.3: the kinds share one index."""
        assert told({"prompts": "a ^ b | c", "imagePrompts": "x.png", "noisePrompts": "1 ^ 2 ^ 3"}) == [
            ["a", "image x.png", "noise 1"],
            ["b", "c", "image x.png", "noise 2"],
            ["b", "c", "image x.png", "noise 3"],
        ]

    def test_a_phrase_may_be_empty_in_one_kind_to_hold_its_place(self) -> None:
        assert told({"prompts": "a ^ b ^ c", "imagePrompts": "^ x.png ^"}) == [["a"], ["b", "image x.png"], ["c"]]

    @pytest.mark.parametrize("upstream", [False, True])
    @pytest.mark.parametrize(
        ("prompts", "message"),
        [
            ({"prompts": " "}, r"^video\.prompts: no valid prompts were provided"),
            ({"prompts": "|"}, "no valid prompts"),
            ({"noisePrompts": " | "}, r"^video\.noisePrompts: no valid prompts"),
            ({"prompts": "a^"}, r"^video\.prompts: phrase 2 is empty .*\(character 3\)"),
            ({"prompts": "a | b ^ ^ c"}, r"phrase 2 is empty .*\(character 8\)"),
            ({"prompts": "a", "imagePrompts": "^x.png"}, None),
            (
                {"prompts": "a ^", "imagePrompts": "x.png ^ y.png ^"},
                r"^video\.imagePrompts: phrase 3 .*\(character 16\)",
            ),
        ],
    )
    def test_a_phrase_that_is_empty_in_every_kind_is_pointed_out(
        self, prompts: dict[str, str], message: str | None, upstream: bool
    ) -> None:
        if message is None:
            assert told(prompts, upstream=upstream)
        else:
            with pytest.raises(BadConfig, match=message):
                told(prompts, upstream=upstream)

    @pytest.mark.parametrize(
        ("prompts", "message"),
        [
            ({"prompts": "a cat:"}, r"^video\.prompts: a number must follow .*character 6"),
            ({"noisePrompts": "1 | cat"}, r"^video\.noisePrompts: a noise prompt must be .*'cat' \(character 5\)"),
            ({"imagePrompts": "a.png | b.png:"}, r"^video\.imagePrompts: a number must follow .*character 14"),
        ],
    )
    def test_a_fault_names_its_field_and_its_place(self, prompts: dict[str, str], message: str) -> None:
        with pytest.raises(BadConfig, match=message):
            told(prompts)

    def test_the_original_s_reading_is_asked_for_by_compat(self) -> None:
        title = {"prompts": "Blade Runner: 2049"}
        assert told(title) == [["Blade Runner: 2049"]]
        assert told(title, upstream=True) == [["Blade Runner"]]


@pytest.fixture(scope="module")
def guidance(generator_folder: Path, perceptor_folder: Path) -> Guidance:
    """The tiny networks with plain cutouts."""
    return Guidance(
        generator=Vqgan.load(Pack.open(generator_folder, kind="vqgan")),
        perceptor=Clip.load(Pack.open(perceptor_folder, kind="clip")),
        cutouts=Cutouts(CutoutOptions(count=CUTS, method="original"), target=32),
    )


@pytest.fixture
def picture() -> Tensor:
    return torch.rand(1, 3, 40, 60, generator=torch.Generator().manual_seed(2))


class TestTargets:
    def test_a_picture_pulls_with_the_mean_over_all_pairs_of_its_cutouts_and_ours(
        self, guidance: Guidance, picture: Tensor
    ) -> None:
        """§2.10: m = n for image prompts, and the loss is |weight| times the mean over i and j."""
        phrase = (Prompt("x.png", 0.7, kind="image"),)
        targets = phrase_targets(guidance, phrase, pictures={"x.png": picture}, randomness=RandomStreams.from_seed(5))
        assert targets.embeddings.shape == (CUTS, 16)
        seen = guidance.embed_image(torch.rand(1, 3, 32, 32), RandomStreams.from_seed(9))
        rows = guidance.embed_image(picture, RandomStreams.from_seed(5))
        expected = 0.7 * spherical_distance(seen, rows).mean()
        assert float(prompt_loss(seen, targets)) == pytest.approx(float(expected), rel=1e-5)

    def test_a_picture_s_stop_and_sign_hold_for_each_pair(self, guidance: Guidance, picture: Tensor) -> None:
        phrase = (Prompt("x.png", -0.6, -0.2, kind="image"),)
        targets = phrase_targets(guidance, phrase, pictures={"x.png": picture}, randomness=RandomStreams.from_seed(5))
        assert targets.weights.tolist() == pytest.approx([-0.2] * CUTS)
        assert targets.stops.tolist() == pytest.approx([-0.2] * CUTS)

    def test_a_noise_is_drawn_from_its_seed_alone(self, guidance: Guidance) -> None:
        """§2.10: N(0, 1) by a CPU generator with the given seed."""
        [row] = phrase_targets(
            guidance, parse("123:0.1", kind="noise")[0], pictures={}, randomness=RandomStreams.from_seed(5)
        ).embeddings
        assert torch.equal(row, torch.empty(1, 16).normal_(generator=torch.Generator().manual_seed(123))[0])

    def test_the_kinds_of_a_phrase_stand_side_by_side(self, guidance: Guidance, picture: Tensor) -> None:
        phrase = (
            Prompt("a", 2),
            Prompt("b", -1, 0.3),
            Prompt("x.png", 3, kind="image"),
            Prompt("7", 0.5, kind="noise"),
        )
        targets = phrase_targets(guidance, phrase, pictures={"x.png": picture}, randomness=RandomStreams.from_seed(5))
        assert targets.weights.tolist() == pytest.approx([2, -1, 1, 1, 1, 0.5])
        assert targets.stops.tolist()[1] == pytest.approx(0.3)
        assert torch.equal(targets.embeddings[:2], guidance.perceptor.encode_text(["a", "b"]))

    def test_each_phrase_is_embedded_once_and_pictures_in_every_phrase_from_other_cutouts(
        self, guidance: Guidance, picture: Tensor
    ) -> None:
        phrase = (Prompt("x.png", kind="image"),)
        story, again = (
            PhraseTargets(guidance, (phrase, phrase), pictures={"x.png": picture}, seed=3) for _ in range(2)
        )
        assert story.targets(1) is story.targets(1)
        assert not torch.equal(story.targets(0).embeddings, story.targets(1).embeddings)
        assert torch.equal(again.targets(1).embeddings, story.targets(1).embeddings), "a resumed run starts there"


class TestPromptPictures:
    @pytest.mark.parametrize(
        ("size", "area", "expected"),
        [
            ((200, 100), 100_000, (200, 100)),
            ((200, 100), 5_000, (100, 50)),
            ((1435, 1050), 128 * 128, (150, 109)),  # √(16384·1435/1050) = 149.64, √(16384·1050/1435) = 109.49
            ((3000, 1), 100, (548, 1)),
        ],
    )
    def test_it_keeps_its_proportions_and_shrinks_to_the_area(
        self, size: tuple[int, int], area: int, expected: tuple[int, int]
    ) -> None:
        assert limit_area(size, area) == expected

    def test_it_is_read_as_rgb_and_never_enlarged(self, tmp_path: Path) -> None:
        path = tmp_path / "p.png"
        Image.fromarray(np.full((10, 20), 200, np.uint8)).save(path)
        pixels = read_image_within(path, area=10_000, field="imagePrompts")
        assert pixels.shape == (10, 20, 3)
        assert (pixels == 200).all()

    def test_what_is_no_picture_is_refused_by_its_field(self, tmp_path: Path) -> None:
        path = tmp_path / "p.png"
        path.write_text("no")
        with pytest.raises(BadInput, match=r"imagePrompts: 'p\.png' is not a readable image"):
            read_image_within(path, area=100, field="imagePrompts")
