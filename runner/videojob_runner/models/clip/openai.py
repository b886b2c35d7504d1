"""
The network and the tokenizer of openai-clip, without the rest of that package.

Its `__init__` imports torchvision, pkg_resources and a downloader, seconds of work for nothing that is used here; the
modules of network and tokenizer need none of it. They are loaded under their own names, so that whoever imports the
whole package as well meets the same classes.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from functools import lru_cache
from importlib.machinery import PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

__all__ = ["CLIP", "VisionTransformer", "import_submodule", "tokenize_texts", "tokenizer"]

PACKAGE: Final = "clip"


def import_submodule(name: str) -> ModuleType:
    """The module `name` of the package, whose own `__init__` does not run."""
    whole = f"{PACKAGE}.{name}"
    if whole not in sys.modules:
        package = importlib.util.find_spec(PACKAGE)  # of a top-level package this runs nothing
        spec = PathFinder.find_spec(whole, package.submodule_search_locations if package else ())
        if spec is None or spec.loader is None:
            raise ModuleNotFoundError(f"openai-clip is not installed, or has no module {name!r}", name=whole)
        sys.modules[whole] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[whole]


if TYPE_CHECKING:
    from clip.model import CLIP, VisionTransformer
else:
    CLIP, VisionTransformer = import_submodule("model").CLIP, import_submodule("model").VisionTransformer


@lru_cache(maxsize=1)
def tokenizer() -> Any:
    """The byte-pair encoder, which reads its vocabulary once."""
    return import_submodule("simple_tokenizer").SimpleTokenizer()


def tokenize_texts(texts: Sequence[str], *, length: int) -> Tensor:
    """
    Token ids ``[n, length]`` of texts between marks for start and end, then zeros.

    Raises ValueError for a text that is longer.
    """
    encoder = tokenizer().encoder
    rows = torch.zeros(len(texts), length, dtype=torch.int)
    for row, text in zip(rows, texts, strict=True):
        tokens = [encoder["<|startoftext|>"], *tokenizer().encode(text), encoder["<|endoftext|>"]]
        if len(tokens) > length:
            raise ValueError(f"{text!r} has {len(tokens)} tokens")
        row[: len(tokens)] = torch.tensor(tokens)
    return rows
