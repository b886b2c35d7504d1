"""Network and tokenizer of openai-clip come without the rest of that package, which takes seconds to import."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from videojob_runner.models.clip.openai import import_submodule, tokenize_texts

TEXTS = ["a cat", "A  Café &amp; a 12-string guitar,\nplease!", "", "日本 🙂 <|endoftext|>", "word " * 75]


def loaded_after(statement: str) -> set[str]:
    """The modules of a fresh process."""
    program = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_loading_a_clip_imports_neither_torchvision_nor_torch_s_compiler() -> None:
    found = loaded_after("import videojob_runner.models.clip.model")
    assert "clip.model" in found
    assert not found & {"clip", "clip.clip", "torchvision", "torch._dynamo", "pkg_resources"}


def test_whoever_imports_the_whole_package_meets_the_same_classes() -> None:
    ours, theirs = (
        "from videojob_runner.models.clip.openai import CLIP",
        "import clip; from clip.model import CLIP as C",
    )
    program = f"{ours}; {theirs}; assert C is CLIP"
    assert "clip.clip" in loaded_after(program)


def test_tokens_are_those_of_openai_s_own_function() -> None:
    from clip import tokenize

    assert torch.equal(tokenize_texts(TEXTS, length=77), tokenize(TEXTS, context_length=77))


def test_a_text_of_too_many_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="has 78 tokens"):
        tokenize_texts(["word " * 76], length=77)


def test_a_module_that_is_not_there_is_missing() -> None:
    with pytest.raises(ModuleNotFoundError, match="no module 'nothing'"):
        import_submodule("nothing")
