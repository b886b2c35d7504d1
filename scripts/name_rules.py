"""
Rules about names, folders and docstrings, checked by `scripts/check_budgets.py`.

Public functions are verbs or nouns, not bare past participles; a class name is defined once in the product; a folder
has at most 14 modules; a docstring says something. Exceptions are listed here by name. The unit tests fail for an entry
that no longer applies, so these lists can only shrink.
"""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

MAX_MODULES_PER_FOLDER = 14
MIN_DOCSTRING_WORDS = 3

IRREGULAR_PARTICIPLE = re.compile(
    r"begun|bought|bound|broken|brought|built|caught|chosen|done|drawn|driven|fed|felt|forgotten|found|"
    r"frozen|given|gone|grown|heard|held|hidden|kept|known|laid|led|left|lit|lost|made|met|paid|proven|"
    r"said|seen|sent|shown|shrunk|sold|sought|spent|stolen|stuck|taken|taught|thought|told|torn|understood|"
    r"undone|withdrawn|won|worn|written"
)

PARTICIPLES_ALLOWED: Mapping[str, str] = {
    "operator/videojob_operator/cache/indexer.py:created": "a field of Kubernetes objects: creationTimestamp",
    "agent/videojob_agent/publish/publisher.py:published": "property: what has been published so far",
    "operator/videojob_operator/cache/kopf_watch.py:changed": "kopf's handler of a change",
    "operator/videojob_operator/domain/observation/observed.py:combined": "to be renamed",
    "operator/videojob_operator/workqueue.py:done": "client-go's word for a work queue",
    "runner/videojob_runner/contract/status.py:completed": "the contract's word COMPLETED",
    "runner/videojob_runner/contract/status.py:failed": "the contract's word FAILED",
}
"""`path:name` of public functions that are named by a participle, and the reason."""

CLASSES_ALLOWED: Mapping[str, str] = {
    "ClipArchitecture": "packs/shapes trains openai-clip's own class, whose arguments are not the runner's",
    "VqganArchitecture": "packs/shapes trains taming-transformers' own class, whose arguments are not the runner's",
}
"""Names of classes that are defined more than once, and the reason."""

FOLDERS_ALLOWED: Mapping[str, int] = {"packs/shapes": 17}
"""Folders above the limit, and their number of modules."""

DOCSTRINGS_ALLOWED: Mapping[str, frozenset[str]] = {
    "runner/videojob_runner/engine/null.py": frozenset({"is_due"}),
    "runner/videojob_runner/training/context.py": frozenset({"preview"}),
    "runner/videojob_runner/training/data/clip_dataset.py": frozenset({"__len__"}),
    "runner/videojob_runner/training/metrics.py": frozenset({"reset"}),
}
"""Definitions by path whose docstring is still too short."""

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
Modules = Mapping[str, ast.Module]
"""Syntax trees by path, relative to the repository."""


def is_participle(name: str) -> bool:
    """True for a public name that is one past participle, such as `carried` or `held`."""
    regular = name.endswith("ed") and name not in ("embed", "seed", "shed")
    return name.isalpha() and (regular or IRREGULAR_PARTICIPLE.fullmatch(name) is not None)


def find_participles(modules: Modules) -> Iterator[str]:
    """Yield `path:name` of every public function that is named by a participle."""
    for path, tree in modules.items():
        for node in ast.walk(tree):
            if isinstance(node, FunctionNode) and is_participle(node.name):
                yield f"{path}:{node.name}"


def find_repeated_classes(modules: Modules) -> dict[str, list[str]]:
    """Return the paths of every public class name that is defined more than once."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path, tree in modules.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(path)
    return {name: paths for name, paths in places.items() if len(paths) > 1}


def find_large_folders(modules: Modules) -> dict[str, int]:
    """Return the number of modules, without `__init__`, of every folder above the limit."""
    paths = map(PurePosixPath, modules)
    counts = Counter(str(path.parent) for path in paths if path.name != "__init__.py")
    return {folder: count for folder, count in counts.items() if count > MAX_MODULES_PER_FOLDER}


def is_empty_docstring(text: str) -> bool:
    """True if a docstring has fewer than three words or only points back, other than "See `Protocol`."."""
    if re.fullmatch(r"See `[\w.]+`\.", text):
        return False
    return len(text.split()) < MIN_DOCSTRING_WORDS or text.lower().startswith(("the same.", "see above"))


def find_empty_docstrings(modules: Modules) -> Iterator[tuple[str, str]]:
    """Yield path and name of every definition whose docstring says nothing."""
    for path, tree in modules.items():
        for node in ast.walk(tree):
            if isinstance(node, FunctionNode | ast.ClassDef):
                text = ast.get_docstring(node)
                if text is not None and is_empty_docstring(text):
                    yield path, node.name


def name_breaches(modules: Modules) -> Iterator[str]:
    """Yield one line per breach that no list above allows."""
    for where in find_participles(modules):
        if where not in PARTICIPLES_ALLOWED:
            yield f"{where}: is a past participle (name the function by a verb)"
    for name, paths in find_repeated_classes(modules).items():
        if name not in CLASSES_ALLOWED:
            yield f"class {name} is defined more than once: {', '.join(paths)}"
    for folder, count in find_large_folders(modules).items():
        if count > FOLDERS_ALLOWED.get(folder, MAX_MODULES_PER_FOLDER):
            yield f"{folder}: {count} modules (at most {FOLDERS_ALLOWED.get(folder, MAX_MODULES_PER_FOLDER)})"
    for path, name in find_empty_docstrings(modules):
        if name not in DOCSTRINGS_ALLOWED.get(path, ()):
            yield f"{path} {name}: the docstring says nothing"
