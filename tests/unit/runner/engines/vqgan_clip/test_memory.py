"""A run's memory is foretold, the fastest way that fits is taken; what fits in no way is refused with the remedy."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from clip.model import CLIP
from videojob_api.pipelines.vqgan_clip import MemoryOptions
from videojob_runner.engines.vqgan_clip.cutouts.cutouts import CutoutOptions
from videojob_runner.engines.vqgan_clip.guidance.memory import MemoryEstimator, MemoryPlan, choose_plan, has_headroom
from videojob_runner.errors import BadInput, Interrupted
from videojob_runner.models.clip.model import Clip
from videojob_runner.models.vqgan.model import Vqgan, VqganArchitecture
from videojob_runner.system.memory import MemoryLimit

from tests.unit.runner.engines.vqgan_clip.fakes import HarnessFactory, run

GIB = 1 << 30
PLENTY = MemoryLimit(64 * GIB, 64 * GIB, "this machine's memory")
F16 = VqganArchitecture(
    ch=128,
    ch_mult=[1, 1, 2, 2, 4],
    num_res_blocks=2,
    attn_resolutions=[16],
    resolution=256,
    z_channels=256,
    embed_dim=256,
    codebook_size=16_384,
)
PLAIN, AGAIN, LEANEST = (
    MemoryPlan(chunk_size=8),
    MemoryPlan(chunk_size=8, checkpoint_decoder=True),
    MemoryPlan(chunk_size=1, checkpoint_decoder=True),
)


@pytest.fixture(scope="module")
def demand() -> MemoryEstimator:
    """The networks that most people use, without data, for a picture of 512×512 pixels."""
    with torch.device("meta"):
        generator, perceptor = Vqgan(F16), Clip(CLIP(512, 224, 12, 768, 32, 77, 49_408, 512, 8, 12))
    return MemoryEstimator(generator=generator, perceptor=perceptor, size=(512, 512), cutouts=CutoutOptions(count=32))


def room(limit: float, *, free: float | None = None) -> MemoryLimit:
    """A container's limit in bytes."""
    return MemoryLimit(int(limit), int(limit if free is None else free), "the container's limit")


@pytest.fixture(scope="module")
def thick(demand: MemoryEstimator) -> MemoryEstimator:
    """The same with the larger ViT-L/14, which keeps fifteen times as much of each view."""
    with torch.device("meta"):
        perceptor = Clip(CLIP(768, 224, 24, 1024, 14, 77, 49_408, 768, 12, 12))
    return replace(demand, perceptor=perceptor)


def just_enough(demand: MemoryEstimator, plan: MemoryPlan) -> MemoryLimit:
    return room(demand.total_bytes(plan) / 0.89)


class TestChoice:
    def test_with_plenty_of_memory_the_fastest_plan_is_taken(self, demand: MemoryEstimator) -> None:
        assert choose_plan(demand, None, device="cpu", room=PLENTY) == PLAIN
        assert choose_plan(demand, None, device="cuda", room=PLENTY) == MemoryPlan(chunk_size=32)

    def test_memory_is_kept_where_an_iteration_would_fit_twice_and_where_nobody_knows(
        self, demand: MemoryEstimator
    ) -> None:
        total, iteration = demand.total_bytes(PLAIN), demand.iteration_bytes(PLAIN)
        twice = (total + iteration) / 0.89
        assert has_headroom(demand, PLAIN, None)
        assert has_headroom(demand, PLAIN, room(twice))
        assert not has_headroom(demand, PLAIN, room(total / 0.89))
        assert not has_headroom(demand, PLAIN, room(twice, free=1.9 * iteration))

    def test_few_cutouts_are_seen_at_once(self, demand: MemoryEstimator) -> None:
        few = replace(demand, cutouts=CutoutOptions(count=5))
        assert choose_plan(few, None, device="cpu", room=PLENTY) == MemoryPlan(chunk_size=5)

    def test_each_plan_takes_less_than_the_one_before_it_and_is_taken_where_that_no_longer_fits(
        self, thick: MemoryEstimator
    ) -> None:
        plans = thick.plans("cuda")
        assert plans == [MemoryPlan(chunk_size=32), PLAIN, AGAIN, LEANEST]
        totals = [thick.total_bytes(plan) for plan in plans]
        assert totals == sorted(set(totals), reverse=True)
        assert [choose_plan(thick, None, device="cuda", room=just_enough(thick, plan)) for plan in plans] == plans

    def test_where_nobody_knows_how_much_there_is_the_fastest_is_tried(self, demand: MemoryEstimator) -> None:
        assert choose_plan(demand, None, device="cpu", room=None) == PLAIN

    def test_what_happens_to_be_free_never_changes_how_many_views_are_seen_at_once(
        self, demand: MemoryEstimator
    ) -> None:
        """That would move the last bits of frames from one run to the next; computing again moves none."""
        busy = room(64 * GIB, free=demand.iteration_bytes(AGAIN) + 1)
        assert choose_plan(demand, None, device="cpu", room=busy) == AGAIN
        assert choose_plan(demand, None, device="cpu", room=room(64 * GIB, free=0)) == AGAIN

    def test_what_the_job_says_wins(self, demand: MemoryEstimator) -> None:
        wanted = MemoryOptions(views_at_once=3, recompute=False)
        assert choose_plan(demand, wanted, device="cpu", room=PLENTY) == MemoryPlan(chunk_size=3)
        tight = just_enough(demand, MemoryPlan(chunk_size=8, checkpoint_decoder=True))
        assert choose_plan(demand, MemoryOptions(views_at_once=2), device="cpu", room=tight) == MemoryPlan(
            chunk_size=2, checkpoint_decoder=True
        )
        with pytest.raises(BadInput):
            choose_plan(demand, MemoryOptions(recompute=False), device="cpu", room=tight)

    def test_a_resumed_run_sees_as_many_views_at_once_as_before_where_that_fits(self, thick: MemoryEstimator) -> None:
        assert choose_plan(thick, None, device="cpu", room=PLENTY, before=1) == MemoryPlan(chunk_size=1)
        tight = just_enough(thick, LEANEST)
        assert choose_plan(thick, None, device="cpu", room=tight, before=32) == LEANEST

    def test_what_fits_in_no_way_is_refused_with_the_sizes_and_the_remedies(self, demand: MemoryEstimator) -> None:
        with pytest.raises(BadInput) as caught:
            choose_plan(demand, None, device="cpu", room=room(1.5 * GIB))
        text = str(caught.value)
        told = float(re.findall(r"about ([0-9.]+) GiB", text)[0])
        assert told * GIB == pytest.approx(demand.total_bytes(LEANEST), abs=0.06 * GIB)
        assert "the container's limit is 1.5 GiB" in text
        assert "512x512 with 32 cutouts" in text
        for remedy in ("width and height", "cuts", "memory.viewsAtOnce: 1", "recompute: true"):
            assert remedy in text


class TestEstimate:
    def test_it_grows_with_the_picture_and_with_the_cutouts(self, demand: MemoryEstimator) -> None:
        base = demand.iteration_bytes(PLAIN)
        larger = replace(demand, size=(1024, 1024)).iteration_bytes(PLAIN)
        assert 3 * base < larger < 4 * base  # four times the pixels, as many views
        small = replace(demand, size=(64, 64))
        assert replace(small, cutouts=CutoutOptions(count=64)).iteration_bytes(PLAIN) > small.iteration_bytes(PLAIN)

    def test_a_shorter_precision_keeps_half(self, demand: MemoryEstimator) -> None:
        assert replace(demand, precision=torch.bfloat16).iteration_bytes(PLAIN) < 0.8 * demand.iteration_bytes(PLAIN)

    @pytest.mark.parametrize(("side", "recompute"), [(256, False), (384, False), (384, True)])
    def test_it_is_within_thirty_percent_of_what_the_system_shows(self, side: int, recompute: bool) -> None:
        told = measured({"side": side, "cuts": 8, "method": "kornia", "at_once": 8, "recompute": recompute})
        assert told["estimate"] == pytest.approx(told["peak"], rel=0.3)


def measured(options: dict[str, Any]) -> dict[str, int]:
    """The estimate for an iteration of the shapes packs, and how far a process of its own really grew in two."""
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "tests.unit.runner.engines.vqgan_clip.measure_peak_memory",
            json.dumps(options),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, int] = json.loads(done.stdout)
    return told


class TestRuns:
    FORM = {"image": {"prompts": "a", "iterations": 4}, "width": 32, "height": 32, "cuts": 6}

    def test_the_plan_is_noted_and_computing_again_changes_no_bit(self, world: HarnessFactory) -> None:
        plain, again = world(), world()
        run(plain, **self.FORM)
        run(again, **self.FORM, memory={"recompute": True})
        assert plain.versions["viewsAtOnce"] == again.versions["viewsAtOnce"] == "6"
        assert plain.pictures() == again.pictures()

    def test_a_job_can_say_how_many_views_clip_sees_at_once(self, world: HarnessFactory) -> None:
        usual, few = world(), world()
        run(usual, **self.FORM)
        run(few, **self.FORM, memory={"viewsAtOnce": 2})
        assert few.versions["viewsAtOnce"] == "2"
        assert few.progress.losses == pytest.approx(usual.progress.losses, abs=1e-4)

    def test_an_interrupted_run_goes_on_with_the_views_of_its_checkpoint(self, world: HarnessFactory) -> None:
        w = world(interrupted_after=2)
        with pytest.raises(Interrupted):
            run(w, **self.FORM)
        counter = w.folder / "checkpoint" / "counter.json"
        told = json.loads(counter.read_text())
        assert told["viewsAtOnce"] == 6
        counter.write_text(json.dumps({**told, "viewsAtOnce": 5}))  # as if from a smaller machine
        w.interrupted_after = None
        run(w, **self.FORM)
        assert w.versions["viewsAtOnce"] == "5"


def test_a_checkpoint_from_before_there_were_plans_is_taken_up(world: HarnessFactory, tmp_path: Path) -> None:
    w = world(interrupted_after=2)
    with pytest.raises(Interrupted):
        run(w, **TestRuns.FORM)
    counter = w.folder / "checkpoint" / "counter.json"
    counter.write_text(json.dumps({"done": 2}))
    w.interrupted_after = None
    run(w, **TestRuns.FORM)
    assert w.versions["viewsAtOnce"] == "6"
