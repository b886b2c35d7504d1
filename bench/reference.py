"""
VQGAN+CLIP as the original programs compute it: what ours is measured against, and checked against.

Written from the specification (vqgan-clip §2, "§" below) with no part of the engine: the networks are those of taming
and openai-clip as they are, codes are chosen by a one-hot product, crops are made one by one with kernels made anew for
each, views go through kornia's modules one after the other, and all random numbers come from torch's global state.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import clip
import kornia.augmentation as kornia
import torch
import torch.nn.functional as nnf
from clip.model import build_model
from safetensors.torch import load_file
from taming.modules.diffusionmodules.model import Decoder, Encoder
from taming.modules.vqvae.quantize import VectorQuantizer
from torch import Tensor, nn

from bench.config import BenchConfig

TAMING: Final = {
    "ch": "ch",
    "ch_mult": "chMult",
    "num_res_blocks": "numResBlocks",
    "attn_resolutions": "attnResolutions",
    "resolution": "resolution",
    "z_channels": "zChannels",
}
"""taming's arguments by their names in a pack's `architecture`."""
IMAGE_MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
IMAGE_STD: Final = (0.26862954, 0.26130258, 0.27577711)
LANCZOS_SUPPORT: Final = 2


class FirstStage(nn.Module):
    """taming's VQGAN without its losses (§2.2)."""

    def __init__(self, architecture: dict[str, Any]) -> None:
        super().__init__()
        options = {name: architecture[ours] for name, ours in TAMING.items()}
        shape = {"in_channels": 3, "out_ch": 3, "double_z": False}
        z, c = architecture["zChannels"], architecture["embedDim"]
        with contextlib.redirect_stdout(io.StringIO()):  # the decoder prints its shape
            self.encoder, self.decoder = Encoder(**options, **shape), Decoder(**options, **shape)
        self.quantize = VectorQuantizer(architecture["codebookSize"], c, beta=0.25)
        self.quant_conv, self.post_quant_conv = nn.Conv2d(z, c, 1), nn.Conv2d(c, z, 1)

    def decode(self, codes: Tensor) -> Tensor:
        """The picture, about −1…1, of codebook vectors ``[1, C, h, w]``."""
        picture: Tensor = self.decoder(self.post_quant_conv(codes))
        return picture


@dataclass(frozen=True, slots=True)
class Networks:
    """Both networks, frozen."""

    first_stage: FirstStage
    clip: clip.model.CLIP

    @classmethod
    def load(cls, setting: BenchConfig) -> Networks:
        """Those of the setting's packs; CLIP has half precision on CUDA and single precision elsewhere (§2.8)."""
        first_stage = FirstStage(json.loads((setting.generator / "pack.json").read_text())["architecture"])
        first_stage.load_state_dict(load_tensors(setting.generator))
        perceptor = build_model(load_tensors(setting.perceptor))
        if not setting.device.startswith("cuda"):
            perceptor.float()
        for network in (first_stage, perceptor):
            network.eval().requires_grad_(False).to(setting.device)
        return cls(first_stage, perceptor)


def load_tensors(folder: Path) -> dict[str, Tensor]:
    """The weights of a pack in single precision."""
    (file,) = folder.glob("*.safetensors")
    return {name: tensor.float() for name, tensor in load_file(file).items()}


class _Clamp(torch.autograd.Function):
    """Clips to 0…1. A gradient outside passes only where going against it leads back inside (§2.6)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(0, 1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,), (grad,) = ctx.saved_tensors, grads
        leads_back: Tensor = grad * (x - x.clamp(0, 1)) >= 0
        return grad * leads_back


def clamp(x: Tensor) -> Tensor:
    """Any shape."""
    inside: Tensor = _Clamp.apply(x)  # type: ignore[no-untyped-call]
    return inside


def straight_through(value: Tensor, *, gradient_to: Tensor) -> Tensor:
    """`value` as it is, whose gradient goes to another tensor of its shape."""
    return value.detach() + (gradient_to - gradient_to.detach())


def quantize(z: Tensor, book: Tensor) -> Tensor:
    """The nearest vectors of the codebook ``[K, C]``, for each position of ``[1, C, h, w]`` (§2.5)."""
    points = z.permute(0, 2, 3, 1)
    distances = points.square().sum(-1, keepdim=True) + book.square().sum(1) - 2 * (points @ book.T)
    codes = nnf.one_hot(distances.argmin(-1), len(book)).to(book.dtype) @ book
    return straight_through(codes, gradient_to=points).permute(0, 3, 1, 2)


def lanczos_kernel(ratio: float) -> Tensor:
    """The low-pass kernel for `ratio` below 1, tap by tap (§2.9.2)."""
    half, place = [], 0.0
    while place < LANCZOS_SUPPORT:
        half.append(windowed_sinc(math.pi * place))
        place += ratio
    kernel = torch.tensor(half[:0:-1] + half)
    return kernel / kernel.sum()


def windowed_sinc(x: float) -> float:
    """sinc(x)·sinc(x/2) of an angle."""
    return 2 * math.sin(x) * math.sin(x / 2) / x**2 if x else 1.0


def resample(crop: Tensor, side: int) -> Tensor:
    """A crop ``[1, 3, s, s]`` in CLIP's size (§2.9.2)."""
    height, width = crop.shape[-2:]
    planes = crop.transpose(0, 1)
    if side < height:
        kernel = lanczos_kernel(side / height).to(crop)
        border = len(kernel) // 2
        planes = nnf.conv2d(nnf.pad(planes, (0, 0, border, border), "reflect"), kernel.view(1, 1, -1, 1))
    if side < width:
        kernel = lanczos_kernel(side / width).to(crop)
        border = len(kernel) // 2
        planes = nnf.conv2d(nnf.pad(planes, (border, border, 0, 0), "reflect"), kernel.view(1, 1, 1, -1))
    return nnf.interpolate(planes.transpose(0, 1), (side, side), mode="bicubic", align_corners=True)


def random_crop(picture: Tensor, side: int) -> Tensor:
    """One square of the picture; CLIP sees `side` pixels (§2.9.1; the power of the sizes is 1)."""
    height, width = picture.shape[-2:]
    largest, smallest = min(width, height), min(width, height, side)
    s = int(torch.rand([]) * (largest - smallest) + smallest)
    x, y = torch.randint(0, width - s + 1, ()), torch.randint(0, height - s + 1, ())
    return picture[:, :, y : y + s, x : x + s]


class Perspective(kornia.RandomPerspective):  # type: ignore[misc]
    """kornia's, warped as version 0.5.11 did: black outside, and never quite the identity (§2.9.4)."""

    def apply_transform(
        self, views: Tensor, params: dict[str, Tensor], flags: dict[str, Any], transform: Tensor | None = None
    ) -> Tensor:
        """The views ``[n, 3, H, W]`` that were chosen, through their homographies ``[n, 3, 3]`` in pixels."""
        if transform is None:
            return views
        height, width = views.shape[-2:]
        to_unit = torch.tensor([[2 / (width - 1), 0, -1], [0, 2 / (height - 1), -1], [0, 0, 1]]).to(views)
        back = torch.linalg.inv(to_unit @ transform.to(views) @ torch.linalg.inv(to_unit))
        across, down = (torch.linspace(-1, 1, length).to(views) for length in (width, height))
        y, x = torch.meshgrid(down, across, indexing="ij")
        u, v, w = (torch.stack([x, y, torch.ones_like(x)], -1).view(-1, 3) @ back.mT).unbind(-1)
        grid = torch.stack([u / w, v / w], -1).view(-1, height, width, 2)
        return nnf.grid_sample(views, grid, padding_mode="zeros", align_corners=False)


def augmentations() -> nn.Sequential:
    """The steps of method `kornia` (§2.9.3), with the effects that they had in kornia 0.5.11."""
    return nn.Sequential(
        kornia.RandomHorizontalFlip(p=0.5),
        kornia.ColorJiggle(saturation=0.01, hue=0.01, p=0.7),
        kornia.RandomSharpness((0.0, 0.3), p=0.4),
        kornia.RandomAffine(30.0, translate=(0.0, 0.1), padding_mode="border", p=0.8),
        Perspective(0.2, p=0.4),
    )


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text as CLIP sees it, unit length ``[1, D]``, and how much it counts."""

    embedding: Tensor
    weight: float
    stop: float = -math.inf

    def loss(self, seen: Tensor) -> Tensor:
        """The distance of embeddings ``[n, D]`` (§2.10)."""
        chord = nnf.normalize(seen, dim=-1) - self.embedding
        signed = 2 * (chord.norm(dim=-1) / 2).arcsin().square() * math.copysign(1, self.weight)
        gate = signed.maximum(torch.full_like(signed, self.stop))
        return abs(self.weight) * straight_through(signed, gradient_to=gate).mean()


class ReferenceRun:
    """A run; `step` is one iteration."""

    precision: Final = torch.float32
    """Of the decoder."""

    def __init__(self, networks: Networks, setting: BenchConfig) -> None:
        self.first_stage, self.clip = networks.first_stage, networks.clip
        self.setting = setting
        self.side = int(self.clip.visual.input_resolution)
        self.augmented = augmentations()
        torch.manual_seed(setting.seed)
        self.z = self.random_codes().requires_grad_()
        self.start = self.z.detach().clone()
        self.prompts = [Prompt(self.text(text), weight) for text, weight in setting.prompts]
        self.adam = torch.optim.Adam([self.z], lr=setting.rate)

    @property
    def book(self) -> Tensor:
        """The codebook ``[K, C]``."""
        book: Tensor = self.first_stage.quantize.embedding.weight
        return book

    def random_codes(self) -> Tensor:
        """Where z starts (§2.4)."""
        factor = 2 ** (self.first_stage.decoder.num_resolutions - 1)
        columns, rows = (length // factor for length in self.setting.size)
        tokens = torch.randint(len(self.book), (rows * columns,), device=self.book.device)
        codes = nnf.one_hot(tokens, len(self.book)).float() @ self.book
        return codes.view(1, rows, columns, -1).permute(0, 3, 1, 2)

    @torch.no_grad()
    def text(self, text: str) -> Tensor:
        """The embedding ``[1, D]`` of a text, unit length."""
        embedding = self.clip.encode_text(clip.tokenize(text).to(self.book.device)).float()
        return nnf.normalize(embedding, dim=-1)

    def picture(self, z: Tensor) -> Tensor:
        """The picture ``[1, 3, H, W]`` in 0…1 of a latent (§2.7)."""
        return clamp((self.first_stage.decode(quantize(z, self.book)) + 1) / 2)

    def views(self, picture: Tensor) -> Tensor:
        """What CLIP is shown of a picture, ``[n, 3, S, S]`` (§2.9.3)."""
        crops = torch.cat([resample(random_crop(picture, self.side), self.side) for _ in range(self.setting.cuts)])
        if self.setting.method == "original":
            return clamp(crops)
        views: Tensor = self.augmented(crops)
        deviation = views.new_empty(len(views), 1, 1, 1).uniform_(0, 0.1)
        return views + deviation * torch.randn_like(views)

    def embeddings(self, views: Tensor) -> Tensor:
        """What CLIP sees in views, ``[n, D]`` (§2.8)."""
        mean, deviation = (torch.tensor(row).view(1, 3, 1, 1).to(views) for row in (IMAGE_MEAN, IMAGE_STD))
        embeddings: Tensor = self.clip.encode_image((views - mean) / deviation).float()
        return embeddings

    def loss(self) -> Tensor:
        """How far the picture is from the prompts, a scalar."""
        seen = self.embeddings(self.views(self.picture(self.z)))
        terms = [prompt.loss(seen) for prompt in self.prompts]
        if self.setting.init_weight:
            terms.append(self.setting.init_weight / 2 * nnf.mse_loss(self.z, self.start))
        return torch.stack(terms).sum()

    def step(self) -> Tensor:
        """One iteration (§2.1); the loss before it."""
        self.adam.zero_grad(set_to_none=True)
        loss = self.loss()
        torch.autograd.backward(loss)
        self.adam.step()
        low, high = (bound.view(1, -1, 1, 1) for bound in self.book.aminmax(dim=0))
        with torch.no_grad():
            self.z.copy_(self.z.maximum(low).minimum(high))
        return loss.detach()


def run(setting: BenchConfig) -> ReferenceRun:
    """A run in the setting."""
    return ReferenceRun(Networks.load(setting), setting)
