"""What each prompt has of the loss: named by its text, adding up to the whole, and never more than can be looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from videojob_runner.engines.vqgan_clip import IterationResult
from videojob_runner.engines.vqgan_clip.loss_log import MAX_LABEL_CHARS, MAX_ROWS, MAX_SHARES, LossShareLog, merge_tail
from videojob_runner.errors import Interrupted

from tests.unit.runner.engines.vqgan_clip.fakes import EngineHarness, HarnessFactory, run


def shares(w: EngineHarness, step: int) -> dict[str, float]:
    """All shares that were written at a step."""
    found = [values for at, values in w.table if at == step and "phrase" not in values]
    assert len(found) == 1, "each step is written once"
    return found[0]


def test_shares_have_the_prompts_texts_and_add_up_to_the_loss(world: HarnessFactory) -> None:
    w = world()
    Image.new("RGB", (8, 8), "red").save(w.folder / "red.png")
    form = {"prompts": "a red circle | blue:-0.3", "imagePrompts": "red.png:0.5", "noisePrompts": "3:0.1"}
    run(w, image={**form, "iterations": 4}, initWeight=2)
    for step, loss in enumerate(w.progress.losses, start=1):
        assert sum(shares(w, step).values()) == pytest.approx(loss, rel=1e-5)
    assert [name.removeprefix("loss: ") for name in shares(w, 1)] == [
        *("a red circle", "blue", "image red.png", "noise 3", "initWeight"),
    ]


def test_a_share_is_what_the_prompt_alone_would_lose(world: HarnessFactory) -> None:
    """Of the first iteration, where no other prompt has moved anything yet."""
    both = shares(run(world(), image={"prompts": "a red circle:2 | blue:-0.3", "iterations": 1}), 1)
    for prompt, name in (("a red circle:2", "loss: a red circle"), ("blue:-0.3", "loss: blue")):
        (alone,) = run(world(), image={"prompts": prompt, "iterations": 1}).progress.losses
        assert both[name] == pytest.approx(alone, rel=1e-5)
    assert both["loss: blue"] < 0 < both["loss: a red circle"]


def test_what_holds_the_latent_has_nothing_at_the_start_and_more_later(world: HarnessFactory) -> None:
    w = run(world(), image={"prompts": "a", "iterations": 9}, initWeight=2)
    assert abs(shares(w, 1)["loss: initWeight"]) < 1e-6
    assert shares(w, 9)["loss: initWeight"] > 1e-4


def test_where_a_phrase_begins_is_written_down_and_its_items_take_over(world: HarnessFactory) -> None:
    video = {"prompts": "a | b ^ c | b", "frames": 4, "iterationsPerFrame": 2, "iterationsForFirstFrame": 3}
    w = run(world(), video=video)
    begins = {step: values["phrase"] for step, values in w.table if "phrase" in values}
    assert begins == {1: 1, 8: 2}, "three of the lead and two frames of two come before"
    assert list(shares(w, 7)) == ["loss: a", "loss: b"]
    assert list(shares(w, 8)) == ["loss: c", "loss: b"]


def test_a_single_phrase_needs_no_mark(world: HarnessFactory) -> None:
    w = run(world(), image={"prompts": "a", "iterations": 2})
    assert [values for _, values in w.table if "phrase" in values] == []


def of_a_transfer(world: HarnessFactory, **form: Any) -> EngineHarness:
    """The world in which two gray pictures were transferred, two iterations each."""
    w = world()
    (w.folder / "film").mkdir()
    for index in range(2):
        Image.fromarray(np.full((16, 16, 3), 100 * index, np.uint8)).save(w.folder / "film" / f"{index}.png")
    return run(w, styleTransfer={"prompts": "a", "source": "film", "iterationsPerFrame": 2} | form)


@pytest.mark.parametrize(
    ("weights", "names"),
    [
        ({"sourceWeight": 1}, ["loss: sourceWeight"]),
        ({"sourceLayoutWeight": 3}, ["loss: sourceLayoutWeight"]),
        ({"sourceWeight": 1, "sourceLayoutWeight": 3}, ["loss: sourceWeight and sourceLayoutWeight"]),
        ({"sourceWeight": 0}, []),
    ],
)
def test_what_holds_a_transfer_is_named_by_its_fields(
    world: HarnessFactory, weights: dict[str, float], names: list[str]
) -> None:
    w = of_a_transfer(world, **weights)
    found = shares(w, 4)
    assert list(found) == ["loss: a", *names]
    assert sum(found.values()) == pytest.approx(w.progress.losses[3], rel=1e-5)


def test_the_source_of_a_style_transfer_is_named_for_what_it_does(world: HarnessFactory) -> None:
    form = {"sourcePromptWeight": 0.5, "restyle": {"previousPromptWeight": 0.4}, "sourceWeight": 1}
    w = of_a_transfer(world, **form)
    prompts = ["loss: a", "loss: image of the source", "loss: image of the frame before"]
    assert list(shares(w, 4)) == [*prompts, "loss: sourceWeight"]


def test_a_phrase_of_very_many_items_has_a_dozen_shares_and_loses_none_of_the_loss(world: HarnessFactory) -> None:
    w = run(world(), image={"prompts": " | ".join(f"thing {index}" for index in range(40)), "iterations": 1})
    found = shares(w, 1)
    assert (len(found), list(found)[-1]) == (MAX_SHARES, f"loss: {40 - MAX_SHARES + 1} more")
    assert sum(found.values()) == pytest.approx(w.progress.losses[0], rel=1e-5)


@pytest.mark.parametrize("count", [1, MAX_SHARES - 1, MAX_SHARES])
def test_as_many_as_can_be_looked_at_keep_their_names(count: int) -> None:
    everything = {str(index): float(index) for index in range(count)}
    assert merge_tail(everything) == everything


def test_equal_texts_share_a_name_and_long_ones_are_cut(world: HarnessFactory) -> None:
    # The tokenizer takes 77 tokens, so a long text must be of few of them.
    long = " ".join(["red"] * 40)
    w = run(world(), image={"prompts": f"a:0.5 | a:0.5 | {long}", "iterations": 1})
    found = [name.removeprefix("loss: ") for name in shares(w, 1)]
    assert found == ["a", f"{long[: MAX_LABEL_CHARS - 1]}…"]


def written(total: int, *, looks: int) -> list[int]:
    """The steps at which a run of `total` iterations writes its shares."""
    steps: list[int] = []

    def record(step: int, values: Mapping[str, float]) -> None:
        steps.append(step)

    log = LossShareLog(record=record, total=total, loss_interval=looks, phrases=1, init_weight_label=None)
    iteration = IterationResult(torch.zeros(1), torch.zeros(()), torch.zeros(1), ["a"])
    for done in range(1, total + 1):
        log.log_if_due(done, Ordinary(), iteration)  # type: ignore[arg-type]
    return steps


class Ordinary:
    """A step in the middle of a phrase."""

    new_phrase, phrase = False, 0


@pytest.mark.parametrize(("total", "looks"), [(20, 1), (MAX_ROWS, 1), (2500, 1), (12_345, 10)])
def test_a_run_of_any_length_writes_about_a_thousand_rows_with_its_first_and_last(total: int, looks: int) -> None:
    steps = written(total, looks=looks)
    assert (steps[0], steps[-1]) == (1, total)
    assert min(total, MAX_ROWS) / 2 <= len(steps) <= MAX_ROWS + 2
    assert all(step % looks == 0 for step in steps[1:-1]), "a look in between would wait for the device"


def test_a_resumed_run_writes_the_rest(world: HarnessFactory) -> None:
    form: dict[str, Any] = {"image": {"prompts": "a | b", "iterations": 5}}
    whole, w = run(world(), **form), world(interrupted_after=2)
    with pytest.raises(Interrupted):
        run(w, **form)
    w.interrupted_after = None
    assert run(w, **form).table == whole.table
