"""Whole renders with the runner's plain call, several at a time: one process with one thread of torch for each core."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from videojob_runner.engines.vqgan_clip import VqganClipConfig
from videojob_runner.notebook import render

from tests.fidelity.batch_guidance import Pictures


@dataclass(frozen=True, slots=True)
class RenderCall:
    """One call: the fields of `pipeline.vqganClip` as in a manifest, and the folder that its inputs lie in."""

    fields: dict[str, Any]
    inputs: Path = Path()


def frames_of(job: RenderCall) -> Pictures:
    """All frames ``[n, H, W, 3]``."""
    torch.set_num_threads(1)
    config = VqganClipConfig.model_validate({"width": 64, "height": 64, **job.fields})
    return np.stack(list(render(config, inputs=job.inputs, device="cpu").frames()))


def render_all(jobs: Sequence[RenderCall]) -> list[Pictures]:
    """The frames of each job, in their order."""
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:  # a fork would inherit torch's threads
        return list(pool.map(frames_of, jobs))
